"""Sample audit entries, a key that guards nothing, and the hand of someone who can write the log's database."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato.audit.event import Charge, Event, Shape
from sfumato.audit.log import AuditLog
from sfumato.audit.verify import Report, Trust, verify

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TIME = "2026-11-21T06:50:00Z"


def event(number: int = 0, **changes: object) -> Event:
    """A query by an analyst's key; each number gives another charge."""
    made = Event(
        time=TIME,
        actor="0123456789abcdef",
        role="analyst",
        operation="query",
        decision="allow",
        rule="access.analyst",
        policy="a" * 64,
        dataset="chats",
        epoch="2026-11",
        shape=Shape(measure="users", by=("language",), topics=("t001",)),
        charge=Charge(rho=number, delta=1),
    )
    return dataclasses.replace(made, **changes)


def log_of(directory: Path, entries: int, *, checkpoints: tuple[int, ...] = ()) -> None:
    """A log of so many entries, signed at each of these sizes."""
    with closing(AuditLog.open(directory)) as log:
        written = 0
        for size in (*checkpoints, entries):
            log.append_many([event(number) for number in range(written, size)])
            written = size
            if size in checkpoints:
                log.checkpoint(log.signer(KEY), time=TIME)


def report_on(directory: Path, trust: Trust | None = None) -> Report:
    """What `verify` says of a log."""
    with closing(AuditLog.read_only(directory)) as log, log.stored() as stored:
        return verify(stored, trust or Trust())


def tamper(directory: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Write to the database as its owner can: the triggers taken away first."""
    with closing(sqlite3.connect(directory / "log.db", isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(*((statement,) if isinstance(statement, str) else statement))


def rows(directory: Path, query: str) -> list[tuple[object, ...]]:
    """Rows as SQLite holds them."""
    with closing(sqlite3.connect(directory / "log.db")) as db:
        return db.execute(query).fetchall()
