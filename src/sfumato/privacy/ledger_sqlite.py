"""The ledger in one SQLite file, with a lock file beside it for every charge in flight."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.database import migrate
from sfumato.privacy import standing
from sfumato.privacy.charges import GENESIS, charges, content, link

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from sfumato.privacy.charges import Caps, Charge

BUSY_SECONDS = 60
_INSERT = charges.insert().returning(charges.c.seq)


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
            self._let_go(seq)
        self._engine.dispose()

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For one statement, or several that no other writer overlaps; on disk when it ends."""
        with self._engine.begin() as db:
            yield db

    def enter(self, charge: Charge, caps: Caps) -> int:
        """Enter a charge, held by this process; its number, which SQLite never gives twice."""
        held: list[int] = []
        fields = asdict(charge)
        try:
            with self._engine.begin() as db:
                found = db.execute(standing.STANDING, fields).one()
                standing.check(found, charge, caps)
                if found.kin is None:  # the first of its epoch and unit: later ones found it in order
                    standing.check_kin(db, charge)
                chain = link(found.chain or GENESIS, content(fields))
                held.append(int(db.execute(_INSERT, {**fields, "chain": chain, "state": "reserved"}).scalar_one()))
                self._hold(held[0])  # before the commit: nobody may ever see the row without its lock held
        except BaseException:
            for seq in held:  # the row was rolled back, and its number may be given again
                self._let_go(seq)
            raise
        return held[0]

    def settle(self, seq: int, state: str, answer: str | None) -> bool:
        """Give a reserved charge its end; whether it was reserved still."""
        with self._engine.begin() as db:
            changed = db.execute(standing.SETTLE, {"number": seq, "state": state, "answer": answer}).rowcount == 1
        if changed:
            self._let_go(seq)
        return changed

    def burn_abandoned(self) -> int:
        """Burn the reserved charges that no process holds; how many."""
        with self._engine.begin() as db:
            found = db.execute(standing.OPEN).scalars().all()
        gone = [seq for seq in found if seq not in self._held and self._is_free(seq)]
        if not gone:
            return 0
        with self._engine.begin() as db:
            count = db.execute(standing.BURN, {"gone": gone}).rowcount
        for seq in gone:
            self._path(seq).unlink(missing_ok=True)
        return int(count)

    def _hold(self, seq: int) -> None:
        """Show that this process lives. The number is new: nobody else can hold it."""
        self._locks.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path(seq), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[seq] = descriptor

    def _let_go(self, seq: int) -> None:
        descriptor = self._held.pop(seq, None)
        if descriptor is not None:
            os.close(descriptor)
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
