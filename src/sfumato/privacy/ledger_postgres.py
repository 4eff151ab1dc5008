"""The ledger in a PostgreSQL database, with an advisory lock for every charge in flight.

One advisory transaction lock makes writers take turns: the chain of hashes needs one order over all datasets anyway.
A turn is one call of a function in the database (migration 4), so nobody waits for a process that is not at work;
nobody waits for another's turn while holding it, so there is no deadlock; and each statement within it sees all that
was committed before, so READ COMMITTED loses no update and there is no serialization failure to retry.

A turn ends before its charge is on disk, so that many share one flush; but nobody is told of the charge until it is.
A server that crashes between loses the end of its log only: this charge, and later ones nobody was told of either.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rfc8785
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError

from sfumato.database import server
from sfumato.errors import StorageError
from sfumato.privacy import standing
from sfumato.privacy.charges import content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import URL, Connection, Row

    from sfumato.privacy.charges import Caps, Charge

IN_FLIGHT = 0x5F_C4A6  # the class of the locks that are numbered like the charges
_CHARGE = ("dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created", "analyst")
_CAPS = ("purpose_rho", "analyst_rho", "epoch_rho", "epoch_delta", "yearly_rho", "yearly_delta")
_KINDS: Mapping[str, Any] = {
    **{name: sql.BigInteger() if name in {"rho", "delta"} else sql.String() for name in _CHARGE},
    "content": sql.LargeBinary(),
    **{name: sql.BigInteger() for name in (*_CAPS, "known")},
}
_ENTER = sql.text(f"CALL enter_charge({', '.join([*(f':{name}' for name in _KINDS), *['NULL'] * 9])})").bindparams(
    *(sql.bindparam(name, type_=kind) for name, kind in _KINDS.items())
)
# Its lock goes with the charge's end, and a moment before that is seen: whoever looks waits for the row, and is told.
_SETTLE = sql.text(
    "WITH settled AS (UPDATE charges SET state = :state, answer = :answer WHERE seq = :seq AND state = 'reserved' "
    "RETURNING seq) SELECT pg_advisory_unlock(:kind, CAST(seq AS integer)) FROM settled"
).bindparams(sql.bindparam("seq", type_=sql.BigInteger()), kind=IN_FLIGHT)
_STRAY = sql.text(
    "SELECT pg_advisory_unlock(:kind, CAST(CAST(objid AS bigint) AS integer)) FROM pg_locks "
    "WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = :kind AND objsubid = 2 "
    "AND CAST(objid AS bigint) <> ALL (:held)"
).bindparams(sql.bindparam("held", type_=sql.ARRAY(sql.BigInteger())), kind=IN_FLIGHT)
_LET_ALL_GO = sql.text("SELECT pg_advisory_unlock_all()")
_ABANDONED = sql.text(
    "WITH open AS MATERIALIZED (SELECT seq FROM charges WHERE state = 'reserved') "
    "SELECT seq FROM open WHERE pg_try_advisory_xact_lock(:kind, CAST(seq AS integer))"
).bindparams(kind=IN_FLIGHT)


class PostgresBook:
    """A charge lives as long as the connection, of whatever process, that holds its lock."""

    name = "the ledger"

    def __init__(self, url: URL) -> None:
        self._engine = server.ready(url).execution_options(isolation_level="AUTOCOMMIT")
        self._guard = threading.Lock()
        self._keeper: Connection | None = None
        self._held: set[int] = set()

    def close(self) -> None:
        """Let every charge go and give the connections back."""
        with self._guard:
            with suppress(DBAPIError):
                if self._keeper is not None and server.answers(self._keeper):
                    self._keeper.execute(_LET_ALL_GO)  # the server would notice by itself, a moment later
            self._drop_keeper()
        self._engine.dispose()

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For one statement, committed as it ends."""
        with self._engine.connect() as db:
            yield db

    def enter(self, charge: Charge, caps: Caps) -> int:
        """Enter a charge, on disk and held by this process; its number."""
        fields = asdict(charge)
        given = {**fields, **asdict(caps), "content": rfc8785.dumps(content(fields)), "known": None}
        while True:
            found = self._turn(given)
            if found.entered is not None:
                break
            standing.check(found, charge, caps)
            if found.kin:
                raise StorageError("the ledger and its database differ about what may be charged; nothing was charged")
            with self.statement() as db:  # the first of its epoch and unit: later ones find it in order
                given["known"] = standing.check_kin(db, charge)
        return int(found.entered)

    def settle(self, seq: int, state: str, answer: str | None) -> bool:
        """Give a reserved charge its end; whether it was reserved still."""
        with self._guard:
            done = self._on_keeper(_SETTLE, {"seq": seq, "state": state, "answer": answer}).first() is not None
            if done:
                self._held.discard(seq)
        return done

    def burn_abandoned(self) -> int:
        """Burn the reserved charges whose lock nobody holds; how many. One settled meanwhile is left as it is."""
        with self.statement() as db:
            gone = db.execute(_ABANDONED).scalars().all()
        if not gone:
            return 0
        with self.statement() as db:
            return int(db.execute(standing.BURN, {"gone": gone}).rowcount)

    def _turn(self, given: Mapping[str, object]) -> Row[Any]:
        with self._guard:
            try:
                found = self._on_keeper(_ENTER, given).one()
            except DBAPIError:
                self._let_stray_go()
                raise
            if found.entered is not None:
                self._held.add(found.entered)
            return found

    def _on_keeper(self, statement: sql.TextClause, given: Mapping[str, object]) -> sql.CursorResult[Any]:
        """On the connection whose life is the life of the charges in flight; a new one where the server hung up."""
        if self._keeper is not None and not server.answers(self._keeper):
            self._drop_keeper()
        if self._keeper is None:
            self._keeper = self._engine.connect()
        return self._keeper.execute(statement, given)

    def _let_stray_go(self) -> None:
        """Let go of a lock that is of no charge in flight: nobody was told of it, and its number may be given again."""
        if self._keeper is None or self._keeper.invalidated:  # its locks went with it
            self._drop_keeper()
            return
        try:
            self._keeper.execute(_STRAY, {"held": sorted(self._held)})
        except DBAPIError:
            self._drop_keeper()

    def _drop_keeper(self) -> None:
        self._held.clear()
        if self._keeper is not None:
            with suppress(DBAPIError):
                self._keeper.invalidate()  # closed, not pooled: its locks must go with it
            with suppress(DBAPIError):
                self._keeper.close()
            self._keeper = None
