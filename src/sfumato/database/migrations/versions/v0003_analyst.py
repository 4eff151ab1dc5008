"""Version 3: a charge says which API key asked, and the database refuses to change that too."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import context, op

revision = "0003"
down_revision = "0002"

_FIXED = (
    "seq", "dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created", "chain",
    "analyst",
)  # fmt: skip
_DELETED = "a charge is never deleted"
_CHANGED = "a charge is settled once, and nothing else of it ever changes"
_BEGUN = "a charge begins reserved, under a number and a question of its own"


def upgrade() -> None:
    """Add the column, and put it under the guard of version 2."""
    if "ledger" not in context.config.attributes["parts"]:
        return
    op.add_column("charges", sql.Column("analyst", sql.String))
    (_on_server if op.get_context().dialect.name == "postgresql" else _in_file)()


def _breaks(differs: str) -> str:
    changed = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in _FIXED)
    return (
        f"{changed} OR OLD.state <> 'reserved' OR NEW.state NOT IN ('released', 'burned') "
        "OR (NEW.state = 'released') <> (NEW.answer IS NOT NULL)"
    )


def _in_file() -> None:
    op.execute("DROP TRIGGER charges_settle_once")
    op.execute(
        f"CREATE TRIGGER charges_settle_once BEFORE UPDATE ON charges WHEN {_breaks('IS NOT')} "
        f"BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END"
    )


def _on_server() -> None:
    op.execute(f"""
        CREATE OR REPLACE FUNCTION charges_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
          IF TG_OP IN ('DELETE', 'TRUNCATE') THEN RAISE EXCEPTION '{_DELETED}'; END IF;
          IF TG_OP = 'INSERT' AND (NEW.state <> 'reserved' OR NEW.answer IS NOT NULL) THEN
            RAISE EXCEPTION '{_BEGUN}';
          END IF;
          IF TG_OP = 'UPDATE' AND ({_breaks("IS DISTINCT FROM")}) THEN RAISE EXCEPTION '{_CHANGED}'; END IF;
          RETURN NEW;
        END $$
    """)
