"""discard verify: check that raw text is gone, and say what that proves."""

from __future__ import annotations

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Json, KeyFile
from sfumato.errors import VaultError

group = typer.Typer(name="discard", help="Receipts of destroyed raw text.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Keeps `verify` a subcommand while it is the only one."""


@group.command()
def verify(data: Data, key_file: KeyFile = None, json: Json = False) -> None:
    """Check every receipt: its signature holds, its key is gone, none of its segments is left."""
    from sfumato import wiring

    found = wiring.verify_discard(data, key_file)
    if json:
        printing.result(found)
    else:
        for receipt in found["receipts"]:
            state = "good" if receipt["good"] else "; ".join(receipt["problems"])
            printing.drawn(f"{receipt['id']}  {receipt['dataset']} {receipt['epoch']}  {state}")
        printing.drawn(f"Proves: {found['proves']}", f"Does not prove: {found['does_not_prove']}")
    if not found["good"]:
        raise VaultError("a discard can't be confirmed; see above")
