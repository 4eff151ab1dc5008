"""The ledger in a PostgreSQL database, with an advisory lock for every charge in flight.

One advisory transaction lock makes writers take turns: the chain of hashes needs one order over all datasets anyway.
Nobody waits for a second lock while holding it, so there is no deadlock; each statement after it sees all that was
committed before, so READ COMMITTED loses no update and there is no serialization failure to retry.

A turn ends before its charge is on disk, so that many share one flush; but nobody is told of the charge until it is.
A server that crashes between loses the end of its log only: this charge, and later ones nobody was told of either.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError

from sfumato.database import server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Connection

WRITERS = 0x5F_1ED_6E5  # any number, the same for all ledgers
IN_FLIGHT = 0x5F_C4A6  # the class of the locks that are numbered like the charges
_TAKE_TURN = sql.text(f"SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock({WRITERS})")
_FLUSH = sql.text("SELECT pg_logical_emit_message(true, 'sfumato', '')")  # the smallest commit that waits for the disk
_HOLD = sql.text(f"SELECT pg_advisory_lock({IN_FLIGHT}, CAST(:seq AS integer))")
_LET_GO = sql.text(f"SELECT pg_advisory_unlock({IN_FLIGHT}, CAST(:seq AS integer))")
_ABANDONED = sql.text(
    "WITH open AS MATERIALIZED (SELECT seq FROM charges WHERE state = 'reserved') "
    "SELECT seq FROM open WHERE pg_try_advisory_xact_lock(:kind, CAST(seq AS integer))"
).bindparams(kind=IN_FLIGHT)


class PostgresBook:
    """A charge lives as long as the connection, of whatever process, that holds its lock."""

    name = "the ledger"

    def __init__(self, url: URL) -> None:
        self._engine = server.ready(url)
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._guard = threading.Lock()
        self._keeper: Connection | None = None
        self._held: set[int] = set()

    def close(self) -> None:
        """Let every charge go and give the connections back."""
        with self._guard:
            self._drop_keeper()
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer overlaps; on disk when it ends."""
        with self._engine.begin() as db:
            db.execute(_TAKE_TURN)
            yield db
        with self._single.connect() as db:
            db.execute(_FLUSH)

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For one statement, committed as it ends."""
        with self._single.connect() as db:
            yield db

    def number(self, last: int) -> dict[str, int]:
        """What to insert for the next charge's number: one more than the last, for a sequence would leave gaps."""
        return {"seq": last + 1}

    def hold(self, seq: int) -> None:
        """Show that this process lives, on a connection kept for that. The number is new: nobody else can hold it."""
        with self._guard:
            if self._keeper is None:
                self._keeper = self._single.connect()
            try:
                self._keeper.execute(_HOLD, {"seq": seq})
            except DBAPIError:  # the server was restarted: a new connection for this and those to come
                self._drop_keeper()
                self._keeper = self._single.connect()
                self._keeper.execute(_HOLD, {"seq": seq})
            self._held.add(seq)

    def let_go(self, seq: int) -> None:
        """Hold it no longer, if it was held."""
        with self._guard:
            if seq in self._held and self._keeper is not None:
                self._held.discard(seq)
                try:
                    self._keeper.execute(_LET_GO, {"seq": seq})
                except DBAPIError:  # the connection is gone, and the lock with it
                    self._drop_keeper()

    def abandoned(self, db: Connection) -> list[int]:
        """The reserved charges whose lock nobody holds; one that is settled meanwhile may be among them."""
        return [seq for (seq,) in db.execute(_ABANDONED)]

    def swept(self, _seqs: Sequence[int]) -> None:
        """These are burned: they left nothing."""

    def _drop_keeper(self) -> None:
        self._held.clear()
        if self._keeper is not None:
            with suppress(DBAPIError):
                self._keeper.invalidate()  # closed, not pooled: its locks must go with it
            with suppress(DBAPIError):
                self._keeper.close()
            self._keeper = None
