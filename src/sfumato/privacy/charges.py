"""The ledger's table and the chain of hashes over its rows: the same in SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import rfc8785
import sqlalchemy as sql

if TYPE_CHECKING:
    from collections.abc import Mapping

GENESIS = "0" * 64
CHAINED = ("dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created")

charges = sql.Table(
    "charges",
    sql.MetaData(),
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


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """What never changes of a row. Who asked is part of it where somebody asked: older rows keep their hash."""
    fields = {name: row[name] for name in CHAINED}
    return fields if row["analyst"] is None else {**fields, "analyst": row["analyst"]}


def link(previous: str, fields: Mapping[str, object]) -> str:
    """The hash of a row: over the hash before it and the canonical JSON of what never changes of the row."""
    return hashlib.sha256(previous.encode() + rfc8785.dumps(dict(fields))).hexdigest()  # type: ignore[arg-type]
