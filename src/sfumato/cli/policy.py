"""policy show, policy lint: read a policy as sfumato reads it."""

from __future__ import annotations

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json, PolicyArgument

group = typer.Typer(name="policy", help="Read and check policy files.", no_args_is_help=True)


@group.command()
def show(policy: PolicyArgument, json: Json = False) -> None:
    """Print the policy with everything it extends and every default filled in, and its digest."""
    from sfumato import wiring
    from sfumato.policy.load import digest

    loaded = wiring.policy(policy)
    value = {"digest": digest(loaded), "policy": loaded.model_dump(mode="json")}
    if json:
        printing.result(value)
        return
    import io

    from ruamel.yaml import YAML

    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    printing.drawn(text.getvalue().rstrip())


@group.command()
def lint(policy: PolicyArgument, json: Json = False) -> None:
    """Check that a policy loads; says where it does not."""
    from sfumato import wiring
    from sfumato.policy.load import digest

    loaded = wiring.policy(policy)
    if json:
        printing.result({"name": loaded.metadata.name, "digest": digest(loaded), "problems": []})
    else:
        printing.drawn(f"{loaded.metadata.name}: good ({digest(loaded)[:12]})")
