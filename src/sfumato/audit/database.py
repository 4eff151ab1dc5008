"""The three tables of the audit log, and all that SQLite and PostgreSQL do differently about them.

Rows are inserted and read, never updated or deleted: SQLite has triggers that refuse both, and on PostgreSQL the role
that serves is granted `SELECT, INSERT` on these tables and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, OperationalError

from sfumato.audit.tree import HASH_BYTES
from sfumato.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

BUSY_SECONDS = 60
ADVISORY_LOCK = 0x5F_0AD1_7106  # any number, the same for all who append
_WRITES = "sfumato_audit_writes"


class _Bytes(sql.LargeBinary):
    """Bytes; what someone else left there of another kind reads as none, and so fails every check."""

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], bytes]:  # noqa: ARG002 - SQLAlchemy's signature
        return lambda value: bytes(value) if isinstance(value, bytes | memoryview) else b""


_metadata = sql.MetaData()
_Number = sql.BigInteger().with_variant(sql.Integer, "sqlite")
entries = sql.Table(
    "audit_entries",
    _metadata,
    sql.Column("seq", _Number, primary_key=True, autoincrement=False),
    sql.Column("body", _Bytes, nullable=False),
    sql.Column("leaf", _Bytes(HASH_BYTES), nullable=False),
)
nodes = sql.Table(
    "audit_nodes",
    _metadata,
    sql.Column("upto", _Number, primary_key=True, autoincrement=False),
    sql.Column("level", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("hash", _Bytes(HASH_BYTES), nullable=False),
    sqlite_with_rowid=False,
)
checkpoints = sql.Table(
    "audit_checkpoints",
    _metadata,
    sql.Column("size", _Number, primary_key=True, autoincrement=False),
    sql.Column("note", _Bytes, nullable=False),
)
for _table in (entries, nodes, checkpoints):
    for _verb in ("UPDATE", "DELETE"):
        _trigger = sql.DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this one untyped
            f"CREATE TRIGGER {_table.name}_no_{_verb.lower()} BEFORE {_verb} ON {_table.name} "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )
        sql.event.listen(_table, "after_create", _trigger.execute_if(dialect="sqlite"))


class Database:
    """One audit log's database: many readers, one writer at a time, whoever they are."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine

    @classmethod
    def sqlite(cls, path: Path, *, create: bool) -> Database:
        """A file in WAL mode, each commit flushed to the disk; read-only where it is not to be made.

        Raises:
            StorageError: it can't be opened or made.
        """
        location = f"file:{quote(str(path.resolve()))}?mode={'rwc' if create else 'ro'}&uri=true"
        engine = sql.create_engine(f"sqlite:///{location}", connect_args={"timeout": BUSY_SECONDS})

        @sql.event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None  # BEGIN is ours
            for pragma in (
                ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON") if create else ("query_only=ON",)
            ):
                connection.execute(f"PRAGMA {pragma}")

        @sql.event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get(_WRITES, False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        if create:
            with translated():
                if not path.exists():
                    path.touch(mode=0o600)
                _metadata.create_all(engine.execution_options(**{_WRITES: True}))
        return cls(engine)

    @classmethod
    def url(cls, url: str, *, create: bool) -> Database:
        """A server's database, by its SQLAlchemy URL; tables are made where `create` and they are not there.

        Raises:
            StorageError: it can't be reached, or the tables can't be made.
        """
        engine = sql.create_engine(url, pool_pre_ping=True)
        if create:
            with translated():
                _metadata.create_all(engine)
        return cls(engine)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer overlaps; committed, and on disk, when it ends."""
        with translated(), self._engine.connect().execution_options(**{_WRITES: True}) as db, db.begin():
            if db.dialect.name == "postgresql":
                db.execute(sql.select(sql.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
            yield db

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the log, whoever appends meanwhile."""
        with translated(), self._engine.connect() as db:
            if db.dialect.name == "postgresql":
                db.execution_options(isolation_level="REPEATABLE READ")
            with db.begin():
                yield db

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Database errors as one line of ours, without the statement and its values."""
    try:
        yield
    except OperationalError as problem:
        reason = _reason(problem)
        raise StorageError(f"the audit log can't be used ({reason}); nothing goes on without it") from None
    except (DatabaseError, OSError) as problem:
        raise StorageError(f"the audit log is damaged or unreadable ({_reason(problem)})") from None


def _reason(problem: DatabaseError | OSError) -> str:
    found = getattr(problem, "orig", None) or getattr(problem, "strerror", None) or type(problem).__name__
    return str(found).partition("\n")[0][:200]
