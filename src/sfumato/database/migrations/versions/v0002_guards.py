"""Version 2: the database itself refuses to delete a charge, to change its amounts, or to settle it twice.

PostgreSQL also refuses to change what was released or logged. SQLite's audit file had such triggers from the start.
"""

from __future__ import annotations

from alembic import context, op

revision = "0002"
down_revision = "0001"

_FIXED = (
    "seq", "dataset", "epoch", "year", "purpose", "question", "policy", "unit", "rho", "delta", "created", "chain",
)  # fmt: skip
_DELETED = "a charge is never deleted"
_CHANGED = "a charge is settled once, and nothing else of it ever changes"
_BEGUN = "a charge begins reserved, under a number and a question of its own"
_APPENDED = "what was published or logged is never changed or removed"


def upgrade() -> None:
    """Put triggers on the tables of the parts that this database holds."""
    parts = context.config.attributes["parts"]
    on_server = op.get_context().dialect.name == "postgresql"
    if "ledger" in parts:
        op.execute("CREATE INDEX open_charges ON charges (seq) WHERE state = 'reserved'")
        (_charges_on_server if on_server else _charges_in_file)()
    if on_server:
        _append_only(("releases", "audit_entries", "audit_nodes", "audit_checkpoints"))


def _breaks(differs: str) -> str:
    """The condition that an update does anything but settle a reserved charge; `differs` compares, null included."""
    changed = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in _FIXED)
    return (
        f"{changed} OR OLD.state <> 'reserved' OR NEW.state NOT IN ('released', 'burned') "
        "OR (NEW.state = 'released') <> (NEW.answer IS NOT NULL)"
    )


def _charges_in_file() -> None:
    op.execute(f"CREATE TRIGGER charges_stay BEFORE DELETE ON charges BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END")
    op.execute(
        f"CREATE TRIGGER charges_settle_once BEFORE UPDATE ON charges WHEN {_breaks('IS NOT')} "
        f"BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END"
    )
    # INSERT OR REPLACE deletes without a word to the trigger above.
    op.execute(
        "CREATE TRIGGER charges_begin_reserved BEFORE INSERT ON charges "  # noqa: S608 - our own words
        "WHEN NEW.state <> 'reserved' OR NEW.answer IS NOT NULL OR EXISTS (SELECT 1 FROM charges WHERE seq = NEW.seq "
        "OR (question = NEW.question AND state <> 'burned')) "
        f"BEGIN SELECT RAISE(ABORT, '{_BEGUN}'); END"
    )


def _charges_on_server() -> None:
    op.execute(f"""
        CREATE FUNCTION charges_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
          IF TG_OP IN ('DELETE', 'TRUNCATE') THEN RAISE EXCEPTION '{_DELETED}'; END IF;
          IF TG_OP = 'INSERT' AND (NEW.state <> 'reserved' OR NEW.answer IS NOT NULL) THEN
            RAISE EXCEPTION '{_BEGUN}';
          END IF;
          IF TG_OP = 'UPDATE' AND ({_breaks("IS DISTINCT FROM")}) THEN RAISE EXCEPTION '{_CHANGED}'; END IF;
          RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER charges_guard BEFORE INSERT OR UPDATE OR DELETE ON charges "
        "FOR EACH ROW EXECUTE FUNCTION charges_guard()"
    )
    op.execute("CREATE TRIGGER charges_stay BEFORE TRUNCATE ON charges EXECUTE FUNCTION charges_guard()")


def _append_only(tables: tuple[str, ...]) -> None:
    op.execute(f"""
        CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN RAISE EXCEPTION '{_APPENDED}'; END $$
    """)
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "EXECUTE FUNCTION append_only()"
        )
