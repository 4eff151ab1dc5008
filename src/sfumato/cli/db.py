"""db init, migrate, status, backup, restore: the databases behind ledger, API keys, releases and audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Database, Json

group = typer.Typer(name="db", help="SQLite files of a data directory, or a PostgreSQL database.", no_args_is_help=True)

DataHere = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data directory, where its SQLite files are used.")
]


@group.command()
def init(
    database: Database = None,
    printed: Annotated[bool, typer.Option("--print", help="Print the statements and run none.")] = False,
    json: Json = False,
) -> None:
    """Make roles, tables and rights in a PostgreSQL database, as its administrator; repeatable."""
    from sfumato.database import migrate, roles, url

    if printed:
        parts = (*roles.roles(), *roles.schemas(), f"SET ROLE {roles.OWNER}")
        printing.document(_script(parts, migrate.statements(), roles.rights()).encode())
        return
    admin = url.parse(_required(database))
    roles.create(admin)
    migrate.postgres(admin)
    if json:
        printing.result({"database": url.shown(admin), "roles": list(roles.ROLES)})
    else:
        printing.note(f"{url.shown(admin)} is ready; make users for the gateway and the server, members of")
        printing.note(f"{roles.PIPELINE} and {roles.SERVING}, and give each its own --database")


@group.command()
def migrate(database: Database = None, data: DataHere = None, json: Json = False) -> None:
    """Bring the tables to this program's version, and the ledger's totals to its charges, where they are less.

    SQLite files are also brought to the version when they are opened.
    """
    from sfumato.database import backup, migrate, url, version
    from sfumato.privacy.mending import mend

    if database is not None:
        place = url.parse(database)
        before = {url.shown(place): migrate.postgres(place)}
        raised = mend(place)
    else:
        there = {part: path for part, path in backup.files(_there(data)).items() if path.exists()}
        before = {part: migrate.sqlite(path, part) for part, path in there.items()}
        raised = mend(there["ledger"]) if "ledger" in there else 0
    if json:
        printing.result({"version": version.HEAD, "before": before, "raised_totals": raised})
    elif raised:
        printing.note(f"totals that were less than their charges, and are not any more: {raised}")
    for name, old in () if json else before.items():
        printing.note(f"{name}: {'as it was' if old == version.HEAD else 'brought'} at version {version.HEAD}")


@group.command()
def status(database: Database = None, data: DataHere = None, json: Json = False) -> None:
    """Show each database's version and the program's; exits 1 unless every one can be used as it is."""
    from sfumato.database import backup, migrate, url, version

    if database is not None:
        place = url.parse(database)
        found = {url.shown(place): migrate.of_server(place)}
    else:
        there = _there(data)
        found = {part: migrate.of_file(path) for part, path in backup.files(there).items() if path.exists()}
    if json:
        printing.result({"version": version.HEAD, "found": found})
    for name, noted in () if json else found.items():
        printing.drawn(f"{name}: version {noted or 'not noted'}, this program's is {version.HEAD}")
    for noted in found.values():
        version.refuse_newer(noted)
    if any(noted != version.HEAD for noted in found.values()):
        raise typer.Exit(1)


@group.command("backup")
def back_up(
    to: Annotated[Path, typer.Argument(metavar="TO", help="A new folder; for PostgreSQL a new file.")],
    database: Database = None,
    data: DataHere = None,
    json: Json = False,
) -> None:
    """Copy the databases while they are in use. Releases, receipts and keys are files: copy those as files."""
    from sfumato.database import backup, url

    if database is not None:
        backup.dump(url.parse(database), to)
        made = [to.name]
    else:
        made = backup.copy_files(_there(data), to)
    _done(made, f"backed up to {to}", json)


@group.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="What `sfumato db backup` made.")],
    database: Database = None,
    data: DataHere = None,
    json: Json = False,
) -> None:
    """Put a backup where no database is. What was spent since is not in it: see the page on operations."""
    from sfumato.database import backup, url

    if database is not None:
        backup.restore_dump(source, url.parse(database))
        made = [source.name]
    elif data is None:
        raise typer.BadParameter("say which: --data DIR, or --database URL")
    else:
        made = backup.restore_files(source, data)
    _done(made, f"restored from {source}", json)


def _done(names: list[str], line: str, json: bool) -> None:
    if json:
        printing.result(names)
    else:
        printing.note(f"{', '.join(names)} {line}")


def _script(before: tuple[str, ...], tables: str, after: list[str]) -> str:
    first, last = (";\n".join(statements) + ";\n" for statements in (before, tuple(after)))
    return f"{first}\n{tables.strip()}\n\n{last}"


def _required(database: str | None) -> str:
    if database is None:
        raise typer.BadParameter("--database URL, or SFUMATO_DATABASE, names the PostgreSQL database to initialise")
    return database


def _there(data: Path | None) -> Path:
    if data is None or not data.is_dir():
        raise typer.BadParameter("say which: --data DIR (a directory that is there), or --database URL")
    return data
