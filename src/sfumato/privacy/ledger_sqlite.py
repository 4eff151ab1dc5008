"""The ledger in one SQLite file, with a lock file beside it for every charge in flight."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.database import migrate
from sfumato.privacy.charges import charges

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

BUSY_SECONDS = 60


class SqliteBook:
    """A file in WAL mode; a charge lives as long as some process holds the lock on its file."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._locks = path.with_suffix(".locks")
        self._held: dict[int, int] = {}
        migrate.sqlite(path, "ledger")
        path.chmod(0o600)
        self._engine = _open(path)

    def close(self) -> None:
        """Let every charge go and give the file back."""
        for seq in list(self._held):
            self.let_go(seq)
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other overlaps."""
        with self._engine.begin() as db:
            yield db

    statement = writing  # BEGIN IMMEDIATE serves for one statement too

    def number(self, _last: int) -> dict[str, int]:
        """What to insert for the next charge's number: nothing, SQLite counts on and never gives one twice."""
        return {}

    def hold(self, seq: int) -> None:
        """Show that this process lives. The number is new: nobody else can hold it."""
        self._locks.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path(seq), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[seq] = descriptor

    def let_go(self, seq: int) -> None:
        """Hold it no longer, if it was held."""
        descriptor = self._held.pop(seq, None)
        if descriptor is not None:
            os.close(descriptor)
            self._path(seq).unlink(missing_ok=True)

    def abandoned(self, db: Connection) -> list[int]:
        """The reserved charges that no process holds."""
        found = db.execute(sql.select(charges.c.seq).where(charges.c.state == "reserved")).scalars().all()
        return [seq for seq in found if seq not in self._held and self._is_free(seq)]

    def swept(self, seqs: Sequence[int]) -> None:
        """These are burned: what they left is of no use."""
        for seq in seqs:
            self._path(seq).unlink(missing_ok=True)

    def _path(self, seq: int) -> Path:
        return self._locks / f"{seq}.lock"

    def _is_free(self, seq: int) -> bool:
        try:
            descriptor = os.open(self._path(seq), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(descriptor)


def _open(path: Path) -> sql.Engine:
    """SQLite in WAL mode: durable writes, deleted bytes overwritten, writers taking turns from their first word."""
    engine = sql.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @sql.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sql.event.listens_for(engine, "begin")
    def _immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
