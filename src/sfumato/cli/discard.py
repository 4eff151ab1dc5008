"""discard verify, discard sweep: check that raw text is gone, and destroy what is past its limit."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Json, Key, KeyFile, PolicyArgument, RawStore, TrustedKeys
from sfumato.errors import VaultError

group = typer.Typer(name="discard", help="Receipts of destroyed raw text.", no_args_is_help=True)


@group.command()
def verify(
    data: Data,
    key_file: KeyFile = None,
    key: Key = None,
    raw_store: RawStore = None,
    former: Annotated[
        list[str] | None, typer.Option("--former", metavar="NAME", help="A root key in use before; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Check every receipt: its signature holds, its key is gone, none of its segments is left; and what lies around."""
    from sfumato import custody, wiring

    found = wiring.verify_discard(
        custody.Deployment(data=data, key_file=key_file, key=key, raw_store=raw_store), former or ()
    )
    if json:
        printing.result(found)
    else:
        for receipt in found["receipts"]:
            state = "good" if receipt["good"] else "; ".join(receipt["problems"])
            printing.drawn(f"{receipt['id']}  {receipt['dataset']} {receipt['epoch']} {receipt['zone']}  {state}")
            if receipt.get("evidence"):
                printing.drawn(
                    f"  {receipt['state']}: " + ", ".join(f"{k} {v}" for k, v in receipt["evidence"].items())
                )
        printing.drawn("Tried, and none opens a destroyed key: " + ", ".join(found["tried"]))
        for one in found["surroundings"]:
            printing.drawn(f"{one['verdict']:<8} {one['what']}: {one['told']}")
        printing.drawn(f"Proves: {found['proves']}", f"Does not prove: {found['does_not_prove']}")
    if not found["good"]:
        reason = "see above" if found["receipts"] else "there is no receipt here"
        raise VaultError(f"no discard can be confirmed: {reason}")


@group.command()
def follow(
    data: Data,
    former: Annotated[list[str], typer.Option("--former", metavar="NAME", help="A former root key; repeatable.")],
    key_file: KeyFile = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Ask key services whether former root keys are destroyed yet, and sign their word beside the receipts."""
    from sfumato import custody, wiring

    made = wiring.follow_discard(custody.Deployment(data=data, key_file=key_file, key=key), former)
    if json:
        printing.result([dataclasses.asdict(one) for one in made])
    elif not made:
        printing.note("nothing new: no receipt is of these root keys, or they still live")
    else:
        for one in made:
            printing.drawn(f"{one.receipt}  {one.state}")


@group.command()
def sweep(
    policy: PolicyArgument,
    data: Data,
    key_file: KeyFile = None,
    key: Key = None,
    raw_store: RawStore = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Destroy sealed data that is older than the policy allows; every run does so too."""
    from sfumato import custody, wiring

    deployment = custody.Deployment(
        data=data, key_file=key_file, key=key, trusted_keys=trusted_keys, database=database, raw_store=raw_store
    )
    swept = wiring.sweep(deployment, policy=policy)
    if json:
        printing.result([one._asdict() for one in swept])
    else:
        printing.note(
            f"{len(swept)} keys destroyed: " + ", ".join(" ".join(one[:3]) for one in swept) if swept else "nothing"
        )
