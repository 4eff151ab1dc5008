"""Copies of the databases while they are in use, and putting one back where there is none.

Only what may be copied is: sealed data and its keys are in no database. A restored ledger knows nothing of what was
spent after the copy; the gateway refuses it where a release is there that it does not account for.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sql

from sfumato.database import migrate, roles, server, version
from sfumato.database.failures import translated
from sfumato.errors import InputError, StorageError
from sfumato.model.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL

    from sfumato.database.migrate import Part

_PARTS: tuple[Part, ...] = ("keys", "audit", "ledger")  # the ledger last: what the others know of, it has charged


def files(data: Path) -> dict[Part, Path]:
    """The SQLite files of a data directory, whether they are there or not."""
    layout = Layout(data=data)
    places: dict[Part, Path] = {"ledger": layout.ledger, "keys": layout.access, "audit": layout.audit / "log.db"}
    return {part: places[part] for part in _PARTS}


def copy_files(data: Path, target: Path) -> list[str]:
    """Copy every SQLite file that is there into a new folder; their names, `ledger.db` and so on.

    Raises:
        InputError: the folder is there already, or there is nothing to copy.
        StorageError: one can't be read, or the copy can't be written.
    """
    there = {part: path for part, path in files(data).items() if path.exists()}
    if not there:
        raise InputError(f"{data}: no database here to back up")
    with translated("the backup"):
        try:
            target.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise InputError(f"{target} is there already; a backup goes into a new folder") from None
    for part, path in there.items():
        _copy(path, target / f"{part}.db")
    return [f"{part}.db" for part in there]


def restore_files(source: Path, data: Path) -> list[str]:
    """Put the files of a backup where the data directory has none; their names.

    Raises:
        InputError: no backup there, or a database is in the way.
        StorageError: a copy is damaged or of a newer program, or can't be written.
    """
    found = {part: path for part, path in files(data).items() if (source / f"{part}.db").exists()}
    if not found:
        raise InputError(f"{source}: no backup here; it holds ledger.db at least")
    for path in found.values():
        if any(path.with_name(path.name + end).exists() for end in ("", "-wal", "-journal")):
            raise InputError(f"{path} is there already; move it away before restoring another")
    for part in found:
        version.refuse_newer(migrate.of_file(source / f"{part}.db"))
    for part, path in found.items():
        with translated(path.name):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy(source / f"{part}.db", path)
    return [f"{part}.db" for part in found]


def dump(url: URL, target: Path) -> None:
    """Write a server's whole database to a new file (mode 0600), in the format of `pg_restore`.

    Raises:
        InputError: the file is there already. StorageError: pg_dump is missing or failed.
    """
    try:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InputError(f"{target} is there already; a backup goes into a new file") from None
    except OSError as problem:
        raise StorageError(f"{target} can't be written ({problem.strerror})") from None
    with os.fdopen(descriptor, "wb") as file:
        try:
            _run("pg_dump", ["--format=custom"], url, stdout=file.fileno())
            os.fsync(file.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def restore_dump(source: Path, admin: URL) -> None:
    """Put a dump into a database without tables, all or nothing; roles are made where they are not there.

    Raises:
        InputError: no such file, or the database has tables of sfumato already.
        StorageError: pg_restore is missing or failed; the dump is of a newer program.
    """
    if not source.is_file():
        raise InputError(f"{source}: no backup here")
    engine = server.engine(admin)
    try:
        with translated("the database"), engine.connect() as db:
            if sql.inspect(db).has_table("charges"):
                raise InputError("this database has a ledger already; restore into an empty one")
        roles.create(admin, in_database=False)
        _run("pg_restore", ["--single-transaction", "--exit-on-error", str(source)], admin, stdout=subprocess.DEVNULL)
        roles.create(admin)  # the rights on the database itself are in no dump
        with translated("the database"), engine.connect() as db:
            version.refuse_newer(version.found(db))
    finally:
        engine.dispose()


def _copy(source: Path, target: Path) -> None:
    """Copy page by page as of one moment, whoever writes meanwhile; then check the copy and flush it to the disk."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        location = f"file:{quote(str(source.resolve()))}?mode=ro"
        with (
            closing(sqlite3.connect(location, uri=True, timeout=60)) as old,
            closing(sqlite3.connect(temporary)) as new,
        ):
            old.backup(new)
            sound = new.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not sound:
            raise StorageError(f"{source.name} is damaged; restore it from another backup")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except sqlite3.Error as problem:
        raise StorageError(f"{source.name} can't be copied ({problem})") from None
    except OSError as problem:
        raise StorageError(f"{target.name} can't be written ({problem.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _run(program: str, words: list[str], url: URL, *, stdout: int) -> None:
    """Run a program of PostgreSQL, the password in its environment and not on its command line."""
    from psycopg.conninfo import make_conninfo

    place = shutil.which(program)
    if place is None:
        raise StorageError(f"{program} is not installed here; it comes with PostgreSQL's client programs")
    named = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database, **url.query}
    conninfo = make_conninfo("", **{name: str(value) for name, value in named.items() if isinstance(value, str | int)})
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [place, *words, "--no-password", "--dbname", conninfo],
        env={**os.environ, **secret}, stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[0][:300] if said else f"exit code {done.returncode}"
        raise StorageError(why.replace(str(url.password), "***") if secret else why)
