"""What has been spent: an append-only table of charges, summed over epoch and year inside one writing transaction.

    reserve: {answer stored? sum, compare, insert `reserved`} -> noise -> `released` (with its answer) or `burned`

A row is never deleted and its charge never changes, so what is spent can only grow. A process that dies leaves
`reserved`; `recover` finds that nobody holds its lock any more and marks it `burned`. Nothing is refunded.
The statements and rules are here; what SQLite and PostgreSQL do differently is in `ledger_sqlite`, `ledger_postgres`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sql

from sfumato.database.failures import translated
from sfumato.errors import BudgetExhausted, Refused, StorageError
from sfumato.model.epochs import overlap
from sfumato.privacy.charges import CHAINED, GENESIS, charges, content, link

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, Row

_WHAT = "the ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What is asked for. rho, delta in nano units; `question` is the digest of the canonical question.

    analyst: id of the API key that asks a live question; None of a release.
    """

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
    analyst: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Upper limits in nano units: of this purpose within the epoch, of the epoch, and of the year.

    analyst_rho: of this purpose and this analyst within the epoch; None where nobody has a share of their own.
    """

    purpose_rho: int
    epoch_rho: int
    epoch_delta: int
    yearly_rho: int
    yearly_delta: int
    analyst_rho: int | None = None


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


class _InFlight(Refused):
    """The same question is reserved already, by a process that lives or not."""


class Book(Protocol):
    """Where the rows lie, and how others know that the process behind a reserved one lives."""

    name: str

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that no other writer overlaps."""

    def statement(self) -> AbstractContextManager[Connection]:
        """For one statement, committed as it ends."""

    def number(self, last: int) -> dict[str, int]:
        """What to insert for the number of the charge after the last."""

    def hold(self, seq: int) -> None:
        """Show, until let go, closed or dead, that this process lives."""

    def let_go(self, seq: int) -> None:
        """Hold it no longer, if it was held."""

    def abandoned(self, db: Connection) -> list[int]:
        """Reserved charges that nobody holds; one that was settled meanwhile may be among them."""

    def swept(self, seqs: Sequence[int]) -> None:
        """These are burned: remove what they left."""

    def close(self) -> None:
        """Let every charge go."""


def _sum(column: sql.Column[int], *where: sql.ColumnElement[bool]) -> sql.ColumnElement[int]:
    total = sql.func.sum(column)
    return sql.func.coalesce(total.filter(*where) if where else total, 0)


def _last(column: sql.Column[Any]) -> sql.ScalarSelect[Any]:
    return sql.select(column).order_by(charges.c.seq.desc()).limit(1).scalar_subquery()


def _standing() -> sql.Select[Any]:
    """What bears on a charge: the same question's state, whether its epoch has others, the last row, sums for caps."""
    given = {name: getattr(charges.c, name) == sql.bindparam(name) for name in CHAINED}
    same = sql.select(charges.c.state).where(given["question"], charges.c.state != "burned")
    kin = sql.select(charges.c.seq).where(given["dataset"], given["epoch"], given["unit"]).limit(1)
    rho, delta, in_epoch, in_year = charges.c.rho, charges.c.delta, given["epoch"], given["year"]
    return sql.select(
        same.scalar_subquery().label("state"),
        kin.scalar_subquery().label("kin"),
        _last(charges.c.seq).label("seq"),
        _last(charges.c.chain).label("chain"),
        _sum(rho, in_epoch, given["purpose"]).label("purpose_rho"),
        _sum(rho, in_epoch, given["purpose"], charges.c.analyst == sql.bindparam("analyst")).label("analyst_rho"),
        _sum(rho, in_epoch).label("epoch_rho"),
        _sum(delta, in_epoch).label("epoch_delta"),
        _sum(rho, in_year).label("year_rho"),
        _sum(delta, in_year).label("year_delta"),
    ).where(given["dataset"], in_epoch | in_year)


# Built once: a turn at writing is short, and the next in line waits for it.
_STANDING = _standing()
_INSERT = charges.insert().returning(charges.c.seq)
_SETTLE = (
    charges.update()
    .where(charges.c.seq == sql.bindparam("number"), charges.c.state == "reserved")
    .values(state=sql.bindparam("state"), answer=sql.bindparam("answer"))
)


_OTHERS = sql.select(charges.c.epoch, charges.c.year, charges.c.unit).distinct()


def _check_kin(db: Connection, charge: Charge) -> None:
    """Refuse what could not be added up: other units of privacy in the year, or days that another epoch has charged.

    Raises:
        Refused: one of them.
    """
    for other in db.execute(_OTHERS.where(charges.c.dataset == charge.dataset)):
        if other.epoch != charge.epoch and overlap(other.epoch, charge.epoch):
            raise Refused(
                f"epoch {charge.epoch} shares days with {other.epoch}, which is charged already: one of them only"
            )
        if other.unit != charge.unit and other.year == charge.year:
            raise Refused(
                f"year {charge.year} has charges per {other.unit}; per {charge.unit} they can't be added to: "
                "keep the unit until the year ends"
            )


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
            _check_caps(db.execute(_STANDING, asdict(charge)).one(), charge, caps)

    def reserve(self, charge: Charge, caps: Caps) -> Reservation:
        """Enter the charge before any noise is drawn.

        Raises:
            BudgetExhausted: the purpose's, the epoch's or the year's cap would be passed.
            Refused: the same question is answered already, or is being answered by a living process.
        """
        try:
            return self._reserve(charge, caps)
        except _InFlight:
            self.recover()  # the process that had begun may be dead; whoever else is, is counted all the same
            return self._reserve(charge, caps)

    def _reserve(self, charge: Charge, caps: Caps) -> Reservation:
        held: list[int] = []
        try:
            with translated(_WHAT), self._book.writing() as db:
                seq = self._insert(db, charge, caps)
                held.append(seq)
                self._book.hold(seq)  # before the commit: nobody may ever see the row without its lock held
        except BaseException:
            for seq in held:  # the row was rolled back, and its number will be given again
                self._book.let_go(seq)
            raise
        return Reservation(seq=seq)

    def _insert(self, db: Connection, charge: Charge, caps: Caps) -> int:
        fields = asdict(charge)
        found = db.execute(_STANDING, fields).one()
        if found.state == "reserved":
            raise _InFlight("the same release is being made by another process")
        if found.state is not None:
            raise Refused("the same release is stored already")
        _check_caps(found, charge, caps)
        if found.kin is None:  # the first of its epoch and unit: later ones found it in order
            _check_kin(db, charge)
        row = {**fields, **self._book.number(found.seq or 0), "chain": link(found.chain or GENESIS, content(fields))}
        return int(db.execute(_INSERT, {**row, "state": "reserved"}).scalar_one())

    def released(self, reservation: Reservation, answer: str) -> None:
        """The answer is stored; from now on the same question costs nothing."""
        self._settle(reservation, "released", answer)

    def burned(self, reservation: Reservation) -> None:
        """No answer came of it; the charge stays."""
        self._settle(reservation, "burned", None)

    def recover(self) -> int:
        """Mark as burned every reserved charge whose process is gone. Returns how many."""
        with translated(_WHAT), self._book.statement() as db:
            gone = self._book.abandoned(db)
        if not gone:
            return 0
        dead = charges.update().where(charges.c.seq.in_(gone), charges.c.state == "reserved").values(state="burned")
        with translated(_WHAT), self._book.writing() as db:
            count = db.execute(dead).rowcount
        self._book.swept(gone)
        return int(count)

    def spent(self, *, dataset: str, epoch: str | None = None, year: str | None = None) -> tuple[int, int]:
        """(rho, delta) in nano units charged so far, whatever became of the charges."""
        total = sql.select(_sum(charges.c.rho), _sum(charges.c.delta)).where(charges.c.dataset == dataset)
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
        outcome = {"number": reservation.seq, "state": state, "answer": answer}
        with translated(_WHAT), self._book.statement() as db:
            changed = db.execute(_SETTLE, outcome).rowcount
        if changed != 1:
            raise StorageError("the ledger no longer holds this reservation open; nothing was published")
        self._book.let_go(reservation.seq)

    def _check_chain(self) -> None:
        """Fail closed on a ledger whose rows were removed, reordered or edited."""
        previous, expected = GENESIS, 1
        columns = [charges.c[name] for name in ("seq", "chain", "analyst", *CHAINED)]
        with translated(_WHAT), self._book.statement() as db:
            for row in db.execute(sql.select(*columns).order_by(charges.c.seq)):
                previous, expected = self._checked(row, previous, expected), expected + 1

    def _checked(self, row: Row[tuple[object, ...]], previous: str, expected: int) -> str:
        held = row._mapping  # noqa: SLF001 - a public accessor
        chain = link(previous, content(dict(held)))
        if held["seq"] != expected or held["chain"] != chain:
            raise StorageError(
                f"{self._book.name}: row {expected} of the ledger was changed or removed; restore it from a backup"
            )
        return chain


def _book(place: Path | URL) -> Book:
    if isinstance(place, Path):
        from sfumato.privacy.ledger_sqlite import SqliteBook

        return SqliteBook(place)
    from sfumato.privacy.ledger_postgres import PostgresBook

    return PostgresBook(place)


def _check_caps(found: Row[Any], charge: Charge, caps: Caps) -> None:
    names = ("purpose_rho", "epoch_rho", "epoch_delta", "year_rho", "year_delta")
    purpose_rho, epoch_rho, epoch_delta, year_rho, year_delta = (int(getattr(found, name)) for name in names)
    if purpose_rho + charge.rho > caps.purpose_rho:
        raise BudgetExhausted(
            f"epoch {charge.epoch}: the budget for {charge.purpose} is spent; the next epoch has its own"
        )
    if caps.analyst_rho is not None and int(found.analyst_rho) + charge.rho > caps.analyst_rho:
        raise BudgetExhausted(
            f"epoch {charge.epoch}: this analyst's share for {charge.purpose} is spent; the next epoch has its own"
        )
    if epoch_rho + charge.rho > caps.epoch_rho or epoch_delta + charge.delta > caps.epoch_delta:
        raise BudgetExhausted(f"epoch {charge.epoch}: the budget is spent; the next epoch of data has its own")
    if year_rho + charge.rho > caps.yearly_rho or year_delta + charge.delta > caps.yearly_delta:
        raise BudgetExhausted(f"year {charge.year}: the yearly budget is spent; it begins anew with next year's data")
