"""What has been spent: an append-only table of charges, summed over epoch and year inside one writing transaction.

    reserve: {answer stored? sum, compare, insert `reserved`} -> noise -> `released` (with its answer) or `burned`

A row is never deleted and its charge never changes, so what is spent can only grow. A process that dies leaves
`reserved`; `recover` finds that nobody holds its lock any more and marks it `burned`. Nothing is refunded.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc8785
import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, OperationalError

from sfumato.errors import BudgetExhausted, Refused, StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Row

BUSY_SECONDS = 60
GENESIS = "0" * 64

_metadata = sql.MetaData()
_charges = sql.Table(
    "charges",
    _metadata,
    sql.Column("seq", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("dataset", sql.String, nullable=False),
    sql.Column("epoch", sql.String, nullable=False),
    sql.Column("year", sql.String, nullable=False),
    sql.Column("purpose", sql.String, nullable=False),
    sql.Column("question", sql.String, nullable=False),
    sql.Column("policy", sql.String, nullable=False),
    sql.Column("unit", sql.String, nullable=False),
    sql.Column("rho", sql.BigInteger, sql.CheckConstraint("rho > 0"), nullable=False),
    sql.Column("delta", sql.BigInteger, sql.CheckConstraint("delta >= 0"), nullable=False),
    sql.Column("created", sql.String, nullable=False),
    sql.Column("chain", sql.String, nullable=False),
    sql.Column("state", sql.String, sql.CheckConstraint("state in ('reserved','released','burned')"), nullable=False),
    sql.Column("answer", sql.String),
    sqlite_autoincrement=True,
)
sql.Index("one_live_answer", _charges.c.question, unique=True, sqlite_where=_charges.c.state != "burned",
          postgresql_where=_charges.c.state != "burned")  # fmt: skip
_CHAINED = ("dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What is asked for. rho, delta in nano units; `question` is the digest of the canonical question."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Upper limits in nano units: of this purpose within the epoch, of the epoch, and of the year."""

    purpose_rho: int
    epoch_rho: int
    epoch_delta: int
    yearly_rho: int
    yearly_delta: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Permission to draw noise once, for one charge."""

    seq: int


class Ledger:
    """The ledger in one SQLite file, with a lock file beside it for every charge in flight."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._locks = path.with_suffix(".locks")
        self._held: dict[int, int] = {}
        self._engine = _open(path)
        self._check_chain()

    def close(self) -> None:
        """Give back the database; charges still reserved here count as abandoned."""
        for seq in list(self._held):
            self._unlock(seq)
        self._engine.dispose()

    def answer_to(self, question: str) -> str | None:
        """The stored answer to a question already released, or None."""
        with _translated(), self._engine.connect() as db:
            found = sql.select(_charges.c.answer).where(_charges.c.question == question, _charges.c.state == "released")
            return db.execute(found).scalar_one_or_none()

    def check(self, charge: Charge, caps: Caps) -> None:
        """Say now what `reserve` would say, without charging.

        Raises:
            BudgetExhausted: a cap would be passed.
        """
        self.recover()
        with _translated(), self._engine.begin() as db:
            self._check_caps(db, charge, caps)

    def reserve(self, charge: Charge, caps: Caps) -> Reservation:
        """Enter the charge before any noise is drawn.

        Raises:
            BudgetExhausted: the purpose's, the epoch's or the year's cap would be passed.
            Refused: the same question is answered already, or is being answered by a living process.
        """
        self.recover()
        before = set(self._held)
        try:
            return self._reserve(charge, caps)
        except BaseException:
            for seq in set(self._held) - before:  # the row was rolled back, and its number will be given again
                self._unlock(seq)
            raise

    def _reserve(self, charge: Charge, caps: Caps) -> Reservation:
        with _translated(), self._engine.begin() as db:
            same = sql.select(_charges.c.state).where(
                _charges.c.question == charge.question, _charges.c.state != "burned"
            )
            state = db.execute(same).scalar_one_or_none()
            if state is not None:
                why = "stored already" if state == "released" else "being made by another process"
                raise Refused(f"the same release is {why}")
            self._check_caps(db, charge, caps)
            previous = db.execute(sql.select(_charges.c.chain).order_by(_charges.c.seq.desc()).limit(1)).scalar()
            fields = {name: getattr(charge, name) for name in _CHAINED}
            row = _charges.insert().values(**fields, chain=_link(previous or GENESIS, fields), state="reserved")
            (seq,) = db.execute(row.returning(_charges.c.seq)).one()
            self._lock(seq)  # before the commit: no other process may ever see the row without its lock held
        return Reservation(seq=seq)

    def released(self, reservation: Reservation, answer: str) -> None:
        """The answer is stored; from now on the same question costs nothing."""
        self._settle(reservation, "released", answer)

    def burned(self, reservation: Reservation) -> None:
        """No answer came of it; the charge stays."""
        self._settle(reservation, "burned", None)

    def recover(self) -> int:
        """Mark as burned every reserved charge whose process is gone. Returns how many."""
        with _translated(), self._engine.begin() as db:
            open_rows = db.execute(sql.select(_charges.c.seq).where(_charges.c.state == "reserved")).scalars().all()
            dead = [seq for seq in open_rows if seq not in self._held and self._abandoned(seq)]
            if dead:
                db.execute(_charges.update().where(_charges.c.seq.in_(dead)).values(state="burned"))
        for seq in dead:
            self._lock_path(seq).unlink(missing_ok=True)
        return len(dead)

    def spent(self, *, dataset: str, epoch: str | None = None, year: str | None = None) -> tuple[int, int]:
        """(rho, delta) in nano units charged so far, whatever became of the charges."""
        with _translated(), self._engine.connect() as db:
            return self._sum(db, dataset=dataset, epoch=epoch, year=year)

    def check_accounts_for(self, releases: Iterable[tuple[str, str]]) -> None:
        """Fail closed where releases, by (dataset, epoch), are there that no charge here paid for.

        Raises:
            StorageError: the ledger was removed, cut short or restored from before a release.
        """
        paid = {(entry.dataset, entry.epoch) for entry in self.entries() if entry.state == "released"}
        if not set(releases) <= paid:
            raise StorageError(f"{self._path.name} does not account for every release here; restore it from a backup")

    def entries(self) -> list[Entry]:
        """Every charge, oldest first."""
        columns = [_charges.c[name] for name in Entry.__dataclass_fields__]
        with _translated(), self._engine.connect() as db:
            return [Entry(**row._mapping) for row in db.execute(sql.select(*columns).order_by(_charges.c.seq))]  # noqa: SLF001

    def _check_caps(self, db: Connection, charge: Charge, caps: Caps) -> None:
        purpose, _ = self._sum(db, dataset=charge.dataset, epoch=charge.epoch, purpose=charge.purpose)
        epoch_rho, epoch_delta = self._sum(db, dataset=charge.dataset, epoch=charge.epoch)
        year_rho, year_delta = self._sum(db, dataset=charge.dataset, year=charge.year)
        if purpose + charge.rho > caps.purpose_rho:
            raise BudgetExhausted(
                f"epoch {charge.epoch}: the budget for {charge.purpose} is spent; the next epoch has its own"
            )
        if epoch_rho + charge.rho > caps.epoch_rho or epoch_delta + charge.delta > caps.epoch_delta:
            raise BudgetExhausted(f"epoch {charge.epoch}: the budget is spent; the next epoch of data has its own")
        if year_rho + charge.rho > caps.yearly_rho or year_delta + charge.delta > caps.yearly_delta:
            raise BudgetExhausted(
                f"year {charge.year}: the yearly budget is spent; it begins anew with next year's data"
            )

    @staticmethod
    def _sum(db: Connection, **where: str | None) -> tuple[int, int]:
        total = sql.select(
            sql.func.coalesce(sql.func.sum(_charges.c.rho), 0), sql.func.coalesce(sql.func.sum(_charges.c.delta), 0)
        )
        for column, value in where.items():
            if value is not None:
                total = total.where(_charges.c[column] == value)
        rho, delta = db.execute(total).one()
        return int(rho), int(delta)

    def _settle(self, reservation: Reservation, state: str, answer: str | None) -> None:
        with _translated(), self._engine.begin() as db:
            row = sql.and_(_charges.c.seq == reservation.seq, _charges.c.state == "reserved")
            changed = db.execute(_charges.update().where(row).values(state=state, answer=answer)).rowcount
            if changed != 1:
                raise StorageError("the ledger no longer holds this reservation open; nothing was published")
        self._unlock(reservation.seq)

    def _check_chain(self) -> None:
        """Fail closed on a ledger whose rows were removed, reordered or edited."""
        link, expected = GENESIS, 1
        with _translated(), self._engine.connect() as db:
            for row in db.execute(sql.select(_charges).order_by(_charges.c.seq)):
                link, expected = self._checked(row, link, expected), expected + 1

    def _checked(self, row: Row[tuple[object, ...]], previous: str, expected: int) -> str:
        link = _link(previous, {name: row._mapping[name] for name in _CHAINED})  # noqa: SLF001 - a public accessor
        if row._mapping["seq"] != expected or row._mapping["chain"] != link:  # noqa: SLF001
            raise StorageError(
                f"{self._path.name}: row {expected} of the ledger was changed or removed; restore it from a backup"
            )
        return link

    def _lock_path(self, seq: int) -> Path:
        return self._locks / f"{seq}.lock"

    def _lock(self, seq: int) -> None:
        self._locks.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._lock_path(seq), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the number is new: nobody else can hold it
        self._held[seq] = descriptor

    def _unlock(self, seq: int) -> None:
        os.close(self._held.pop(seq))
        self._lock_path(seq).unlink(missing_ok=True)

    def _abandoned(self, seq: int) -> bool:
        try:
            descriptor = os.open(self._lock_path(seq), os.O_RDWR | os.O_CLOEXEC)
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


def _link(previous: str, fields: dict[str, object]) -> str:
    return hashlib.sha256(previous.encode() + rfc8785.dumps(fields)).hexdigest()  # type: ignore[arg-type]


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

    with _translated():
        _metadata.create_all(engine)
    path.chmod(0o600)
    return engine


@contextmanager
def _translated() -> Iterator[None]:
    """Database errors as one line of ours; what can't be read counts as spent, never as free."""
    try:
        yield
    except OperationalError as problem:
        raise StorageError(
            f"the ledger can't be used ({problem.orig}); free the disk or the lock and run again"
        ) from None
    except (DatabaseError, OSError) as problem:
        reason = getattr(problem, "orig", None) or getattr(problem, "strerror", None)
        raise StorageError(f"the ledger is damaged or unreadable ({reason}); restore it from a backup") from None
