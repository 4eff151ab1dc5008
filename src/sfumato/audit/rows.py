"""The log's rows as values: each reader and writer is one statement on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.audit.database import checkpoints, entries, nodes
from sfumato.audit.replay import StoredEntry, Tampered
from sfumato.audit.tree import Frontier, peaks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from sfumato.audit.replay import Node

FETCHED_AT_ONCE = 1000


def size(db: Connection) -> int:
    """How many entries there are, by the number of the last."""
    last = db.execute(sql.select(sql.func.max(entries.c.seq))).scalar()
    return 0 if last is None else int(last) + 1


def add(db: Connection, stored: Sequence[tuple[int, bytes, bytes]], made: Sequence[Node]) -> None:
    """Insert entries (number, body, leaf) and the hashes they complete, as the driver takes them: there are many."""
    mark = "?" if db.dialect.name == "sqlite" else "%s"
    for table, columns, given in (
        ("audit_entries", "seq, body, leaf", stored),
        ("audit_nodes", "upto, level, hash", made),
    ):
        if given:
            db.exec_driver_sql(f"INSERT INTO {table} ({columns}) VALUES ({mark}, {mark}, {mark})", [*given])  # noqa: S608 - our own words


def add_note(db: Connection, count: int, note: bytes) -> None:
    """Insert a signed checkpoint of so many entries."""
    db.execute(checkpoints.insert().values(size=count, note=note))


def frontier(db: Connection, count: int) -> Frontier:
    """The peaks of the first `count` entries.

    Raises:
        Tampered: one of them is not stored.
    """
    wanted = peaks(count)
    key = sql.tuple_(nodes.c.upto, nodes.c.level)
    above = sql.select(nodes.c.upto, nodes.c.hash).where(key.in_([peak for peak in wanted if peak[1]]))
    found = {int(upto): value for upto, value in db.execute(above)} if count > 1 else {}
    if count % 2:
        found[count] = hash_at(db, count, 0)
    missing = [(upto, level) for upto, level in wanted if upto not in found]
    if missing:
        raise Tampered(missing[0][0] - (1 << missing[0][1]), "a hash over it is missing")
    return Frontier(count, [found[upto] for upto, _ in wanted])


def hash_at(db: Connection, upto: int, level: int) -> bytes:
    """The hash of one perfect subtree.

    Raises:
        Tampered: it is not stored.
    """
    if level:
        wanted = sql.select(nodes.c.hash).where(nodes.c.upto == upto, nodes.c.level == level)
    else:
        wanted = sql.select(entries.c.leaf).where(entries.c.seq == upto - 1)
    found: bytes | None = db.execute(wanted).scalar()
    if found is None:
        raise Tampered(upto - (1 << level), "it is missing, or a hash over it")
    return found


def stored_entries(db: Connection, first: int) -> Iterator[StoredEntry]:
    """Entries from `first` on, in order."""
    wanted = sql.select(entries.c.seq, entries.c.body, entries.c.leaf).where(entries.c.seq >= first)
    for seq, body, leaf in db.execute(wanted.order_by(entries.c.seq).execution_options(yield_per=FETCHED_AT_ONCE)):
        yield StoredEntry(seq=seq, body=body, leaf=leaf)


def stored_nodes(db: Connection, first: int) -> Iterator[Node]:
    """The hashes that entries from `first` on complete, in that order."""
    wanted = sql.select(nodes.c.upto, nodes.c.level, nodes.c.hash).where(nodes.c.upto > first)
    wanted = wanted.order_by(nodes.c.upto, nodes.c.level).execution_options(yield_per=FETCHED_AT_ONCE)
    yield from ((upto, level, value) for upto, level, value in db.execute(wanted))


def notes(db: Connection) -> Iterator[tuple[int, bytes]]:
    """Every checkpoint's size, by its row, and its note; smallest first."""
    wanted = sql.select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size)
    yield from ((count, note) for count, note in db.execute(wanted))


def last_note(db: Connection) -> bytes | None:
    """The note of the largest checkpoint."""
    return db.execute(sql.select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)).scalar()
