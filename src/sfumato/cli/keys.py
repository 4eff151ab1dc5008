"""keys init, rotate, status, list, issue, revoke: the root key and what it wraps, and the API keys of who reads."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Json, Key, KeyFile
from sfumato.errors import InputError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sfumato.serve.api_keys import ApiKeys
    from sfumato.vault.inventory import Entry
    from sfumato.vault.keys import KeyWrapper

group = typer.Typer(name="keys", help="Root key, epoch keys and API keys.", no_args_is_help=True)

Place = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data directory; a key service needs it.")]


@group.command()
def init(key_file: KeyFile = None, key: Key = None, data: Place = None, json: Json = False) -> None:
    """Create the root key (mode 0600) that every other key is derived from or wrapped by, or begin under --key."""
    from sfumato import custody

    if key is None:
        path = custody.create_root_key(key_file)
        if json:
            printing.result({"key_file": str(path)})
        else:
            printing.note(f"root key written to {path}; keep a copy offline: without it sealed data is lost")
        return
    _one_of(key, key_file)
    root = _begin(key, data)
    if json:
        printing.result({"root": root})
    else:
        printing.note(f"root key {root} is ready; if it is ever deleted, sealed data is lost")


@group.command()
def rotate(
    data: Data,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="The new root key; default: its newest version.")
    ] = None,
    key_file: KeyFile = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Wrap every epoch key under a new root key; sealed data stays as it is. Run again if it was cut short."""
    from sfumato.adapters import kms_names
    from sfumato.model.layout import Layout
    from sfumato.vault import rotation

    old = _root(key, key_file, data)
    new = old if to is None else kms_names.opened(to, data=data, environment=os.environ)
    done = rotation.rotate(Layout(data=data).keystore, old=old, new=new)
    if json:
        printing.result(dataclasses.asdict(done))
    else:
        printing.note(
            f"{done.moved} epoch keys moved, {done.already} there before; all are under {done.root}. "
            "Name it from now on; the former root key opens nothing here any more"
        )


@group.command()
def status(
    data: Data,
    check: Annotated[bool, typer.Option("--check", help="Open every key under the root key given.")] = False,
    key_file: KeyFile = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Which root key the key store is under, and whether a rotation was cut short."""
    from sfumato.model.layout import Layout
    from sfumato.vault.inventory import inventory

    directory = Layout(data=data).keystore
    found = inventory(directory)
    closed = _closed(directory, _root(key, key_file, data)) if check else None
    stragglers = [entry for entry in found.keys if entry.state == "under another root key"]
    if json:
        report = {"root": found.root, "half_rotated": found.half_rotated, "leftovers": found.leftovers}
        printing.result(report | {"closed": closed, "keys": [_shown(entry) for entry in found.keys]})
    else:
        printing.drawn(f"root key: {found.root or 'the key file this deployment began with, never rotated'}")
        printing.drawn(f"epoch keys: {len(found.keys)}")
        if stragglers:
            others = ", ".join(sorted({entry.root for entry in stragglers}))
            printing.drawn(f"half rotated: {len(stragglers)} still under {others}; run `sfumato keys rotate` again")
        if found.leftovers:
            printing.drawn("a writer that died left temporary files; the next rotation or destruction removes them")
        if closed is not None:
            printing.drawn("every key opens" if not closed else "these do not open: " + ", ".join(closed))
    if closed:
        raise InputError("not every key opens under the root key given; see `sfumato keys status`")


@group.command()
def issue(
    data: Data,
    role: Annotated[str, typer.Option("--role", help="analyst, auditor, ingester or admin.")],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Expires after so many days.")] = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Issue an API key; it is shown once and stored only as a keyed hash."""
    from sfumato import wiring

    with _api_keys(data, database) as keys:
        token = keys.issue(role, expires=wiring.expiry(days))
    if json:
        printing.result({"key": token, "role": role})
    else:
        printing.note(f"API key for {role}, shown this once:")
        printing.drawn(token)


@group.command()
def renew(
    data: Data,
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    overlap: Annotated[
        float, typer.Option("--overlap", metavar="HOURS", min=0, max=720, help="How long the old key still works.")
    ] = 24.0,
    database: Database = None,
    json: Json = False,
) -> None:
    """Issue an API key in the place of another, of the same role and expiry; the old one ends after the overlap."""
    from datetime import timedelta

    with _api_keys(data, database) as keys:
        token = keys.rotate(key_id, overlap=timedelta(hours=overlap))
    if token is None:
        raise InputError("no living API key has this id; `sfumato keys list` shows them")
    if json:
        printing.result({"key": token, "replaces": key_id})
    else:
        printing.note(f"API key in the place of {key_id}, shown this once:")
        printing.drawn(token)


@group.command("list")
def list_keys(
    data: Data,
    epochs: Annotated[bool, typer.Option("--epochs", help="Epoch keys instead: what seals data here.")] = False,
    database: Database = None,
    json: Json = False,
) -> None:
    """List API keys, or with --epochs the epoch keys: ids, dates, state; never a key."""
    if epochs:
        from sfumato.model.layout import Layout
        from sfumato.vault.inventory import inventory

        rows = [_shown(entry) for entry in inventory(Layout(data=data).keystore).keys]
        columns: tuple[str, ...] = ("dataset", "part", "zone", "age_days", "provider", "key_id", "state")
    else:
        with _api_keys(data, database) as keys:
            rows = [dataclasses.asdict(record) for record in keys.records()]
        columns = ("id", "role", "created", "expires", "revoked")
    if json:
        printing.result(rows)
        return
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*("" if row[column] is None else str(row[column]) for column in columns))
    printing.drawn(table)


@group.command()
def revoke(
    data: Data, key_id: Annotated[str, typer.Argument(metavar="ID")], database: Database = None, json: Json = False
) -> None:
    """Revoke an API key by its id."""
    with _api_keys(data, database) as keys:
        found = keys.revoke(key_id)
    if not found:
        raise InputError(f"no API key has the id {key_id}; `sfumato keys list` shows them")
    if json:
        printing.result({"revoked": key_id})
    else:
        printing.note(f"{key_id} is revoked")


def _api_keys(data: Path, database: str | None) -> AbstractContextManager[ApiKeys]:
    from contextlib import closing

    from sfumato import custody, wiring

    return closing(wiring.api_keys(custody.Deployment(data=data, database=database)))


def _one_of(key: str | None, key_file: Path | None) -> None:
    if key is not None and key_file is not None:
        raise InputError("--key and --key-file (or SFUMATO_KEY and SFUMATO_KEY_FILE) are both given: choose one")


def _root(key: str | None, key_file: Path | None, data: Path) -> KeyWrapper:
    from sfumato import custody
    from sfumato.adapters import kms_names

    _one_of(key, key_file)
    name = key if key is not None else f"file:{custody.key_path(key_file)}"
    return kms_names.opened(name, data=data, environment=os.environ)


def _begin(key: str, data: Path | None) -> str:
    """Make what can be made, then show that it works: under a key service, by making the deployment secret."""
    from sfumato.adapters import kms_names
    from sfumato.model.layout import Layout
    from sfumato.vault import deployment
    from sfumato.vault.keys import RootKey

    kms_names.create(key, data=data)
    root = kms_names.opened(key, data=data or Path(os.devnull), environment=os.environ)
    if not isinstance(root, RootKey):
        if data is None:
            raise InputError("a key service needs --data DIR: the deployment secret is made there, in its key store")
        deployment.secrets(Layout(data=data).keystore, root)
    return root.id


def _closed(directory: Path, root: KeyWrapper) -> list[str]:
    """Names of what does not open under a root key."""
    from sfumato.errors import KeyMissing, VaultError
    from sfumato.vault import deployment
    from sfumato.vault.keystore import EpochKeys

    closed, keys = [], EpochKeys(directory, root)
    try:
        deployment.secrets(directory, root)
    except (KeyMissing, VaultError):
        closed.append(deployment.WHAT)
    for dataset, part, zone in keys.held():
        try:
            keys.open(dataset, part, zone)
        except KeyMissing:
            continue  # destroyed, but for its name
        except VaultError:
            closed.append(f"{dataset} {part} {zone}")
    return closed


def _shown(entry: Entry) -> dict[str, object]:
    import time
    from datetime import UTC, datetime

    made = datetime.fromtimestamp(entry.made, UTC).isoformat().replace("+00:00", "Z") if entry.made else None
    age = max(0, int(time.time()) - entry.made) // 86_400 if entry.made else None
    return dataclasses.asdict(entry) | {"provider": entry.provider, "made": made, "age_days": age}
