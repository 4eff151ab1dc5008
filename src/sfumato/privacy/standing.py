"""What bears on a charge, found in one statement, and the rules by which it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from sfumato.errors import BudgetExhausted, Refused
from sfumato.model.epochs import overlap
from sfumato.privacy.charges import ACCOUNT, Caps, Charge, charges, totals

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

OTHERS = sql.select(totals.c.epoch, totals.c.year, totals.c.unit).distinct()
OPEN = sql.select(charges.c.seq).where(charges.c.state == "reserved")
SETTLE = (
    charges.update()
    .where(charges.c.seq == sql.bindparam("number"), charges.c.state == "reserved")
    .values(state=sql.bindparam("state"), answer=sql.bindparam("answer"))
)
BURN = (
    charges.update()
    .where(charges.c.seq.in_(sql.bindparam("gone", expanding=True)), charges.c.state == "reserved")
    .values(state="burned")
)


class InFlight(Refused):
    """The same question is reserved already, by a process that lives or not."""


def _sum(column: sql.Column[int], *where: sql.ColumnElement[bool]) -> sql.ColumnElement[int]:
    total = sql.func.sum(column)
    return sql.func.coalesce(total.filter(*where) if where else total, 0)


def _last(column: sql.Column[Any]) -> sql.ScalarSelect[Any]:
    return sql.select(column).order_by(charges.c.seq.desc()).limit(1).scalar_subquery()


def _standing() -> sql.Select[Any]:
    """The same question's state, whether its epoch has others of its unit, the last row, sums for the caps."""
    given = {name: totals.c[name] == sql.bindparam(name) for name in ACCOUNT}
    asked = charges.c.question == sql.bindparam("question")
    same = sql.select(charges.c.state).where(asked, charges.c.state != "burned")
    kin = sql.select(totals.c.year).where(given["dataset"], given["epoch"], given["unit"]).limit(1)
    rho, delta, in_epoch, in_year = totals.c.rho, totals.c.delta, given["epoch"], given["year"]
    return sql.select(
        same.scalar_subquery().label("state"),
        kin.scalar_subquery().label("kin"),
        _last(charges.c.seq).label("seq"),
        _last(charges.c.chain).label("chain"),
        _sum(rho, in_epoch, given["purpose"]).label("purpose_rho"),
        _sum(rho, in_epoch, given["purpose"], given["analyst"]).label("analyst_rho"),
        _sum(rho, in_epoch).label("epoch_rho"),
        _sum(delta, in_epoch).label("epoch_delta"),
        _sum(rho, in_year).label("year_rho"),
        _sum(delta, in_year).label("year_delta"),
    ).where(given["dataset"], in_epoch | in_year)


STANDING = _standing()  # built once: a turn at writing is short, and the next in line waits for it


def _summed() -> sql.Select[Any]:
    """What the totals should be. Nobody and the empty name are one account, as they are to the trigger."""
    nobody = sql.func.coalesce(charges.c.analyst, sql.literal_column("''"))
    account = {name: nobody if name == "analyst" else charges.c[name] for name in ACCOUNT}
    sums = [sql.cast(sql.func.sum(charges.c[name]), sql.BigInteger).label(name) for name in ("rho", "delta")]
    return sql.select(*(value.label(name) for name, value in account.items()), *sums).group_by(*account.values())


def _unlike() -> sql.Select[Any]:
    """How many accounts have a total that is not the sum of their rows, or rows and no total."""
    both = (SUMMED.except_(KEPT), KEPT.except_(SUMMED))
    counts = (sql.select(sql.func.count()).select_from(one.subquery()).scalar_subquery() for one in both)
    return sql.select(sum(counts, start=sql.literal(0)))


SUMMED = _summed()
KEPT = sql.select(*(totals.c[name] for name in (*ACCOUNT, "rho", "delta")))
UNLIKE = _unlike()


def check(found: Row[Any], charge: Charge, caps: Caps) -> None:
    """Refuse a question that is known already, and a charge that would pass a cap; `found` is a row of STANDING.

    Raises:
        InFlight, Refused, BudgetExhausted: one of them.
    """
    if found.state == "reserved":
        raise InFlight("the same release is being made by another process")
    if found.state is not None:
        raise Refused("the same release is stored already")
    check_caps(found, charge, caps)


def check_caps(found: Row[Any], charge: Charge, caps: Caps) -> None:
    """Refuse a charge that would pass a cap.

    Raises:
        BudgetExhausted: it would.
    """
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


def check_kin(db: Connection, charge: Charge) -> int:
    """Refuse what could not be added up: other units of privacy in the year, or days that another epoch has charged.

    Returns how many epochs, years and units were looked at: the same number later means the same ones, for none goes.

    Raises:
        Refused: one of them.
    """
    others = db.execute(OTHERS.where(totals.c.dataset == charge.dataset)).all()
    for other in others:
        if other.epoch != charge.epoch and overlap(other.epoch, charge.epoch):
            raise Refused(
                f"epoch {charge.epoch} shares days with {other.epoch}, which is charged already: one of them only"
            )
        if other.unit != charge.unit and other.year == charge.year:
            raise Refused(
                f"year {charge.year} has charges per {other.unit}; per {charge.unit} they can't be added to: "
                "keep the unit until the year ends"
            )
    return len(others)
