"""ledger show: what has been spent, by whom it was decided, and what became of it."""

from __future__ import annotations

import dataclasses

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Json
from sfumato.errors import InputError

group = typer.Typer(name="ledger", help="Read the privacy ledger.", no_args_is_help=True)


@group.command()
def show(data: Data, database: Database = None, json: Json = False) -> None:
    """List every charge, oldest first."""
    from sfumato.custody import Deployment
    from sfumato.model.guarantee import NANO
    from sfumato.privacy.ledger import Ledger

    deployment = Deployment(data=data, database=database)
    path = deployment.layout.ledger
    if database is None and not path.exists():
        raise InputError(f"{data}: no ledger here yet; run a release first")
    book = Ledger(deployment.url or path)
    book.recover()
    entries = book.entries()
    book.close()
    if json:
        printing.result([dataclasses.asdict(entry) for entry in entries])
        return
    from rich.table import Table

    table = Table("seq", "dataset", "epoch", "purpose", "rho", "delta", "state", "policy", "created", box=None)
    for entry in entries:
        rho, delta = f"{entry.rho / NANO:.6f}", f"{entry.delta / NANO:.1e}"
        table.add_row(
            str(entry.seq), entry.dataset, entry.epoch, entry.purpose, rho, delta, entry.state, entry.policy[:12],
            entry.created,
        )  # fmt: skip
    printing.drawn(table)
