"""What has been spent: an append-only table of charges, summed over epoch and year inside one writing transaction.

    reserve: {answer stored? sum, compare, insert `reserved`} -> noise -> `released` (with its answer) or `burned`

A row is never deleted and its charge never changes, so what is spent can only grow. A process that dies leaves
`reserved`; `recover` finds that nobody holds its lock any more and marks it `burned`. Nothing is refunded.
The rules are in `standing`; what SQLite and PostgreSQL do differently is in `ledger_sqlite`, `ledger_postgres`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sql

from sfumato.database.failures import translated
from sfumato.errors import StorageError
from sfumato.privacy import standing
from sfumato.privacy.charges import Caps, Charge, charges, check_chain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection

__all__ = ["Book", "Caps", "Charge", "Entry", "Ledger", "Reservation"]
_WHAT = "the ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row as the ledger shows it."""

    seq: int
    dataset: str
    epoch: str
    year: str
    purpose: str
    question: str
    policy: str
    unit: str
    rho: int
    delta: int
    created: str
    state: str
    analyst: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Permission to draw noise once, for one charge."""

    seq: int


class Book(Protocol):
    """Where the rows lie, and how others know that the process behind a reserved one lives."""

    name: str

    def statement(self) -> AbstractContextManager[Connection]:
        """For one statement, committed as it ends."""

    def enter(self, charge: Charge, caps: Caps) -> int:
        """Enter a charge, reserved, in a turn that no other writer overlaps; its number, once it is on disk.

        Until it is settled, or this process closes or dies, others see that somebody is at it.

        Raises:
            InFlight, Refused, BudgetExhausted: as `standing` says.
        """

    def settle(self, seq: int, state: str, answer: str | None) -> bool:
        """Give a reserved charge its end, on disk; whether it was reserved still."""

    def burn_abandoned(self) -> int:
        """Burn the reserved charges that nobody holds; how many."""

    def close(self) -> None:
        """Let every charge go."""


class Ledger:
    """The ledger in a SQLite file, by its path, or in a PostgreSQL database, by its URL."""

    def __init__(self, place: Path | URL) -> None:
        with translated(_WHAT):
            self._book = _book(place)
        try:
            self._check_chain()
        except BaseException:
            self._book.close()
            raise

    def close(self) -> None:
        """Give back the database; charges still reserved here count as abandoned."""
        self._book.close()

    def answer_to(self, question: str) -> str | None:
        """The stored answer to a question already released, or None."""
        found = sql.select(charges.c.answer).where(charges.c.question == question, charges.c.state == "released")
        with translated(_WHAT), self._book.statement() as db:
            return db.execute(found).scalar_one_or_none()

    def check(self, charge: Charge, caps: Caps) -> None:
        """Say now what `reserve` would say, without charging.

        Raises:
            BudgetExhausted: a cap would be passed.
        """
        self.recover()
        with translated(_WHAT), self._book.statement() as db:
            standing.check_caps(db.execute(standing.STANDING, asdict(charge)).one(), charge, caps)

    def reserve(self, charge: Charge, caps: Caps) -> Reservation:
        """Enter the charge before any noise is drawn.

        Raises:
            BudgetExhausted: the purpose's, the epoch's or the year's cap would be passed.
            Refused: the same question is answered already, or is being answered by a living process.
        """
        try:
            return self._reserve(charge, caps)
        except standing.InFlight:
            self.recover()  # the process that had begun may be dead; whoever else is, is counted all the same
            return self._reserve(charge, caps)

    def _reserve(self, charge: Charge, caps: Caps) -> Reservation:
        with translated(_WHAT):
            return Reservation(seq=self._book.enter(charge, caps))

    def released(self, reservation: Reservation, answer: str) -> None:
        """The answer is stored; from now on the same question costs nothing."""
        self._settle(reservation, "released", answer)

    def burned(self, reservation: Reservation) -> None:
        """No answer came of it; the charge stays."""
        self._settle(reservation, "burned", None)

    def recover(self) -> int:
        """Mark as burned every reserved charge whose process is gone. Returns how many."""
        with translated(_WHAT):
            return self._book.burn_abandoned()

    def spent(self, *, dataset: str, epoch: str | None = None, year: str | None = None) -> tuple[int, int]:
        """(rho, delta) in nano units charged so far, whatever became of the charges."""
        summed = (sql.func.coalesce(sql.func.sum(column), 0) for column in (charges.c.rho, charges.c.delta))
        total = sql.select(*summed).where(charges.c.dataset == dataset)
        for column, value in ((charges.c.epoch, epoch), (charges.c.year, year)):
            if value is not None:
                total = total.where(column == value)
        with translated(_WHAT), self._book.statement() as db:
            rho, delta = db.execute(total).one()
        return int(rho), int(delta)

    def check_accounts_for(self, releases: Iterable[tuple[str, str]]) -> None:
        """Fail closed where releases, by (dataset, epoch), are there that no charge here paid for.

        Raises:
            StorageError: the ledger was removed, cut short or restored from before a release.
        """
        done = [entry for entry in self.entries() if entry.state == "released" and entry.purpose == "release"]
        paid = {(entry.dataset, entry.epoch) for entry in done}
        if not set(releases) <= paid:
            raise StorageError(f"{self._book.name} does not account for every release here; restore it from a backup")

    def entries(self) -> list[Entry]:
        """Every charge, oldest first."""
        columns = [charges.c[name] for name in Entry.__dataclass_fields__]
        with translated(_WHAT), self._book.statement() as db:
            return [Entry(**row) for row in db.execute(sql.select(*columns).order_by(charges.c.seq)).mappings()]

    def _settle(self, reservation: Reservation, state: str, answer: str | None) -> None:
        with translated(_WHAT):
            settled = self._book.settle(reservation.seq, state, answer)
        if not settled:
            raise StorageError("the ledger no longer holds this reservation open; nothing was published")

    def _check_chain(self) -> None:
        """Fail closed on a ledger whose rows, or their totals, are not what was entered."""
        with translated(_WHAT), self._book.statement() as db:
            check_chain(db, self._book.name)
        with translated(_WHAT), self._book.statement() as db:
            if db.execute(standing.UNLIKE).scalar_one():
                raise StorageError(
                    f"{self._book.name}: a total is not the sum of its charges; `sfumato db migrate` adds them up "
                    "again, or says why it can't"
                )


def _book(place: Path | URL) -> Book:
    if isinstance(place, Path):
        from sfumato.privacy.ledger_sqlite import SqliteBook

        return SqliteBook(place)
    from sfumato.privacy.ledger_postgres import PostgresBook

    return PostgresBook(place)
