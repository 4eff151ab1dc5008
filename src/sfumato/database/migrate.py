"""Bringing tables up to date: SQLite files as they are opened, a server's database when the operator says so."""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import sqlalchemy as sql

from sfumato.database import roles, server, version
from sfumato.database.failures import translated
from sfumato.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from alembic.config import Config
    from sqlalchemy import URL, Connection

Part = Literal["ledger", "keys", "releases", "audit"]
TABLES: dict[Part, str] = {"ledger": "charges", "keys": "keys", "audit": "audit_entries"}  # one of each SQLite file
ALL: tuple[Part, ...] = ("ledger", "keys", "releases", "audit")
BUSY_SECONDS = 60
_SCRIPTS = Path(__file__).with_name("migrations")


def sqlite(path: Path, part: Part) -> str | None:
    """Bring one SQLite file to this program's version, made (mode 0600) where it is not there; what it was before.

    Raises:
        StorageError: it is of a newer program, no SQLite file, or can't be written.
    """
    if not path.exists():
        path.touch(mode=0o600)
    engine = _file(path, "rw")
    try:
        with engine.connect() as db:
            before = _known(db)
        if before != version.HEAD:
            with engine.begin() as db:
                db.exec_driver_sql("BEGIN IMMEDIATE")
                if (now := _known(db)) != version.HEAD:  # another process may have been faster
                    old = now is None and sql.inspect(db).has_table(TABLES[part])
                    _upgrade(db, (part,), stamp=version.FIRST if old else None)
    finally:
        engine.dispose()
    return before


def of_file(path: Path) -> str | None:
    """The version noted in a SQLite file, which is not written to.

    Raises:
        StorageError: it is no SQLite file, or unreadable.
    """
    engine = _file(path, "ro")
    try:
        with translated(path.name), engine.connect() as db:
            return version.found(db)
    finally:
        engine.dispose()


def postgres(url: URL) -> str | None:
    """Bring a server's database up to date and its roles' rights with it; what it was before.

    Raises:
        StorageError: it is of a newer program, was never initialised, or the user is no member of sfumato_owner.
    """
    engine = server.engine(url)
    try:
        with translated("the database"), engine.begin() as db:
            _become_owner(db)
            db.execute(sql.select(sql.func.pg_advisory_xact_lock(roles.MIGRATION_LOCK)))
            before = _known(db)
            if before != version.HEAD:
                _upgrade(db, ALL, stamp=None)
            for statement in roles.rights():
                db.exec_driver_sql(statement)
        return before
    finally:
        engine.dispose()


@contextmanager
def as_owner(place: Path | URL) -> Iterator[Connection]:
    """One transaction as the owner of the tables; in a SQLite file, as its only writer.

    Raises:
        StorageError: the user is no member of sfumato_owner.
    """
    engine = _file(place, "rw") if isinstance(place, Path) else server.engine(place)
    try:
        with engine.begin() as db:
            if isinstance(place, Path):
                db.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                _become_owner(db)
            yield db
    finally:
        engine.dispose()


def of_server(url: URL) -> str | None:
    """The version noted in a server's database.

    Raises:
        StorageError: it can't be reached.
    """
    engine = server.engine(url)
    try:
        with translated("the database"), engine.connect() as db:
            return version.found(db)
    finally:
        engine.dispose()


def statements() -> str:
    """The SQL that makes every table on PostgreSQL, for who wants to run it by hand."""
    from alembic import command

    written = io.StringIO()
    config = _config(ALL)
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


def _known(db: Connection) -> str | None:
    noted = version.found(db)
    version.refuse_newer(noted)
    return noted


def _upgrade(db: Connection, parts: Sequence[Part], *, stamp: str | None) -> None:
    from alembic import command

    config = _config(parts)
    config.attributes["connection"] = db
    if stamp is not None:
        command.stamp(config, stamp)
    command.upgrade(config, "head")


def _config(parts: Sequence[Part]) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["parts"] = tuple(parts)
    return config


def _become_owner(db: Connection) -> None:
    member = sql.text("SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'sfumato_owner'")
    if db.execute(member).scalar_one_or_none() is not True:
        raise StorageError(
            "the database user is no member of sfumato_owner; run `sfumato db init` as the server's administrator"
        )
    db.exec_driver_sql("SET LOCAL ROLE sfumato_owner")


def _file(path: Path, mode: Literal["rw", "ro"]) -> sql.Engine:
    location = f"file:{quote(str(path.resolve()))}?mode={mode}&uri=true"
    engine = sql.create_engine(f"sqlite:///{location}", connect_args={"timeout": BUSY_SECONDS}, poolclass=sql.NullPool)

    @sql.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours
        connection.execute("PRAGMA synchronous=FULL")

    return engine
