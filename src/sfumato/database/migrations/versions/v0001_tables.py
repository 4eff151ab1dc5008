"""Version 1: the tables of ledger, API keys, releases and audit log, as they were before versions were noted."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import context, op

revision = "0001"
down_revision = None

_NUMBER = sql.BigInteger().with_variant(sql.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of the parts that this database holds."""
    for part in context.config.attributes["parts"]:
        _PARTS[part]()


def _ledger() -> None:
    on_server = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "charges",
        sql.Column("seq", _NUMBER, primary_key=True, autoincrement=not on_server),  # a sequence would leave gaps
        *(
            sql.Column(name, sql.String, nullable=False)
            for name in ("dataset", "epoch", "year", "purpose", "question", "policy", "unit")
        ),
        sql.Column("rho", sql.BigInteger, sql.CheckConstraint("rho > 0"), nullable=False),
        sql.Column("delta", sql.BigInteger, sql.CheckConstraint("delta >= 0"), nullable=False),
        sql.Column("created", sql.String, nullable=False),
        sql.Column("chain", sql.String, nullable=False),
        sql.Column(
            "state", sql.String, sql.CheckConstraint("state in ('reserved','released','burned')"), nullable=False
        ),
        sql.Column("answer", sql.String),
        sqlite_autoincrement=True,
    )
    live = sql.text("state != 'burned'")
    op.create_index("one_live_answer", "charges", ["question"], unique=True, sqlite_where=live, postgresql_where=live)


def _keys() -> None:
    on_server = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "api_keys" if on_server else "keys",
        sql.Column("id", sql.String, primary_key=True),
        sql.Column("mac", sql.String, nullable=False),
        sql.Column(
            "role",
            sql.String,
            sql.CheckConstraint("role in ('analyst', 'auditor', 'ingester', 'admin')"),
            nullable=False,
        ),
        sql.Column("created", sql.String, nullable=False),
        sql.Column("expires", sql.String),
        sql.Column("revoked", sql.Boolean, nullable=False),
    )


def _releases() -> None:
    op.create_table(
        "releases",
        sql.Column("id", sql.String, primary_key=True),
        sql.Column("body", sql.LargeBinary, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sql.Column("seq", _NUMBER, primary_key=True, autoincrement=False),
        sql.Column("body", sql.LargeBinary, nullable=False),
        sql.Column("leaf", sql.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "audit_nodes",
        sql.Column("upto", _NUMBER, primary_key=True, autoincrement=False),
        sql.Column("level", sql.Integer, primary_key=True, autoincrement=False),
        sql.Column("hash", sql.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_checkpoints",
        sql.Column("size", _NUMBER, primary_key=True, autoincrement=False),
        sql.Column("note", sql.LargeBinary, nullable=False),
    )
    if op.get_context().dialect.name != "sqlite":
        return
    for table in ("audit_entries", "audit_nodes", "audit_checkpoints"):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )


_PARTS = {"ledger": _ledger, "keys": _keys, "releases": _releases, "audit": _audit}
