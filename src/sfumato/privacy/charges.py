"""A charge and its caps, the ledger's tables, the chain of hashes over its rows: the same in SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rfc8785
import sqlalchemy as sql

from sfumato.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

GENESIS = "0" * 64
CHAINED = ("dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created")
ACCOUNT = ("dataset", "epoch", "year", "purpose", "unit", "analyst")  # what has a sum; nobody's analyst is ``


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


_metadata = sql.MetaData()
charges = sql.Table(
    "charges",
    _metadata,
    sql.Column("seq", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
    sql.Column("dataset", sql.String, nullable=False),
    sql.Column("epoch", sql.String, nullable=False),
    sql.Column("year", sql.String, nullable=False),
    sql.Column("purpose", sql.String, nullable=False),
    sql.Column("question", sql.String, nullable=False),
    sql.Column("policy", sql.String, nullable=False),
    sql.Column("unit", sql.String, nullable=False),
    sql.Column("rho", sql.BigInteger, nullable=False),
    sql.Column("delta", sql.BigInteger, nullable=False),
    sql.Column("created", sql.String, nullable=False),
    sql.Column("chain", sql.String, nullable=False),
    sql.Column("state", sql.String, nullable=False),
    sql.Column("answer", sql.String),
    sql.Column("analyst", sql.String),
)
# Sums of the rows above, which the database itself keeps as rows are entered: nobody who enters them can write here.
totals = sql.Table(
    "charge_totals",
    _metadata,
    *(sql.Column(name, sql.String, primary_key=True) for name in ACCOUNT),
    sql.Column("rho", sql.BigInteger, nullable=False),
    sql.Column("delta", sql.BigInteger, nullable=False),
)


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """What never changes of a row. Who asked is part of it where somebody asked: older rows keep their hash."""
    fields = {name: row[name] for name in CHAINED}
    return fields if row["analyst"] is None else {**fields, "analyst": row["analyst"]}


def check_chain(db: Connection, name: str) -> None:
    """Fail closed on a ledger whose rows were removed, reordered or edited; that the last ones are gone, totals tell.

    Raises:
        StorageError: they were.
    """
    columns = [charges.c[column] for column in ("seq", "chain", "analyst", *CHAINED)]
    previous, expected = GENESIS, 1
    for row in db.execute(sql.select(*columns).order_by(charges.c.seq)).mappings():
        previous = link(previous, content(dict(row)))
        if row["seq"] != expected or row["chain"] != previous:
            raise StorageError(f"{name}: row {expected} of the ledger was changed or removed; restore it from a backup")
        expected += 1


def link(previous: str, fields: Mapping[str, object]) -> str:
    """The hash of a row: over the hash before it and the canonical JSON of what never changes of the row."""
    return hashlib.sha256(previous.encode() + rfc8785.dumps(dict(fields))).hexdigest()  # type: ignore[arg-type]
