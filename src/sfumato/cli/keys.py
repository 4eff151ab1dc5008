"""keys init, issue, list, revoke: the root key of a deployment, and the API keys of the people who read from it."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Json, KeyFile
from sfumato.errors import InputError

group = typer.Typer(name="keys", help="Root key and API keys.", no_args_is_help=True)


@group.command()
def init(key_file: KeyFile = None, json: Json = False) -> None:
    """Create the root key (mode 0600) that every other key is derived from or wrapped by."""
    from sfumato import wiring

    path = wiring.create_root_key(key_file)
    if json:
        printing.result({"key_file": str(path)})
    else:
        printing.note(f"root key written to {path}; keep a copy offline: without it sealed data is lost")


@group.command()
def issue(
    data: Data,
    role: Annotated[str, typer.Option("--role", help="analyst, auditor, ingester or admin.")],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Expires after so many days.")] = None,
    json: Json = False,
) -> None:
    """Issue an API key; it is shown once and stored only as a keyed hash."""
    from sfumato import wiring

    token = wiring.api_keys(data).issue(role, expires=wiring.expiry(days))
    if json:
        printing.result({"key": token, "role": role})
    else:
        printing.note(f"API key for {role}, shown this once:")
        printing.drawn(token)


@group.command("list")
def list_keys(data: Data, json: Json = False) -> None:
    """List API keys: id, role, dates, state; never the key."""
    from sfumato import wiring

    keys = [dataclasses.asdict(record) for record in wiring.api_keys(data).records()]
    if json:
        printing.result(keys)
        return
    from rich.table import Table

    table = Table("id", "role", "created", "expires", "revoked", box=None)
    for key in keys:
        table.add_row(*(str(key[column] or "") for column in ("id", "role", "created", "expires", "revoked")))
    printing.drawn(table)


@group.command()
def revoke(data: Data, key_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Revoke an API key by its id."""
    from sfumato import wiring

    if not wiring.api_keys(data).revoke(key_id):
        raise InputError(f"no API key has the id {key_id}; `sfumato keys list` shows them")
    if json:
        printing.result({"revoked": key_id})
    else:
        printing.note(f"{key_id} is revoked")
