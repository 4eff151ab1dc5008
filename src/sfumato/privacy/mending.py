"""Totals that are less than their charges, raised to them by the tables' owner; no total is ever lowered.

The chain of hashes is checked first, but it does not show whether the last charges were removed: totals do. So where
one is more than its charges it is the charges that can't be trusted, and nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.database import migrate
from sfumato.database.failures import translated
from sfumato.errors import StorageError
from sfumato.privacy import standing
from sfumato.privacy.charges import ACCOUNT, check_chain, totals

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL, Connection


def mend(place: Path | URL) -> int:
    """Add the charges up again where totals differ from them; how many totals were raised.

    Raises:
        StorageError: charges were changed or removed, or the user is no member of sfumato_owner.
    """
    with translated("the ledger"), migrate.as_owner(place) as db:
        if not db.execute(standing.UNLIKE).scalar_one():
            return 0
        if db.dialect.name == "postgresql":
            db.exec_driver_sql("LOCK TABLE charges IN SHARE ROW EXCLUSIVE MODE")  # nothing is entered meanwhile
        check_chain(db, "the ledger")
        return _raise_totals(db)


def _raise_totals(db: Connection) -> int:
    summed, kept = (
        {tuple(row[: len(ACCOUNT)]): (int(row.rho), int(row.delta)) for row in db.execute(found)}
        for found in (standing.SUMMED, standing.KEPT)
    )
    for account, (rho, delta) in kept.items():
        charged = summed.get(account, (0, 0))
        if rho > charged[0] or delta > charged[1]:
            raise StorageError(
                "the ledger: a total is more than its charges, so charges may be missing and nothing was changed; "
                "restore a backup that has every charge, and compare it with the audit log"
            )
    low = {account: sums for account, sums in summed.items() if kept.get(account) != sums}
    for account, (rho, delta) in low.items():
        named = dict(zip(ACCOUNT, account, strict=True))
        if account in kept:
            here = sql.and_(*(totals.c[name] == value for name, value in named.items()))
            db.execute(totals.update().where(here).values(rho=rho, delta=delta))
        else:
            db.execute(totals.insert().values(**named, rho=rho, delta=delta))
    return len(low)
