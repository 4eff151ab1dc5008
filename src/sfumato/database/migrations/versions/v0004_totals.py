"""Version 4: the database sums charges as they are entered, and enters one in a single call.

What is spent is then read from a few totals, however many charges there are. Rows stay the truth: the totals are
checked against them whenever a ledger is opened. Only triggers write totals; who enters charges can't.
"""
# ruff: noqa: S608 - the statements are our own, put together from our own words

from __future__ import annotations

import sqlalchemy as sql
from alembic import context, op

revision = "0004"
down_revision = "0003"

_ACCOUNT = ("dataset", "epoch", "year", "purpose", "unit", "analyst")
_NAMES = ", ".join(_ACCOUNT)
_NEW = ", ".join("coalesce(NEW.analyst, '')" if name == "analyst" else f"NEW.{name}" for name in _ACCOUNT)
_GROW = "a total only grows, by the charges that are entered"
_IN_FLIGHT = 0x5F_C4A6  # as in privacy.ledger_postgres: the class of the locks that are numbered like the charges
_WRITERS = 0x5F_1ED_6E5  # the same: the lock of whose turn it is


def upgrade() -> None:
    """Sum what is there, and keep the sums."""
    if "ledger" not in context.config.attributes["parts"]:
        return
    on_server = op.get_context().dialect.name == "postgresql"
    if on_server:  # no charge may come between the sums and the trigger; and row security will need as much
        op.execute("LOCK TABLE charges IN ACCESS EXCLUSIVE MODE")
    op.create_table(
        "charge_totals",
        *(sql.Column(name, sql.String, nullable=False, primary_key=True) for name in _ACCOUNT),
        sql.Column("rho", sql.BigInteger, nullable=False),
        sql.Column("delta", sql.BigInteger, nullable=False),
        sql.CheckConstraint("rho >= 0 AND delta >= 0", name="totals_count"),
    )
    op.execute(
        f"INSERT INTO charge_totals ({_NAMES}, rho, delta) "
        "SELECT dataset, epoch, year, purpose, unit, coalesce(analyst, ''), sum(rho), sum(delta) FROM charges "
        "GROUP BY dataset, epoch, year, purpose, unit, coalesce(analyst, '')"
    )
    (_on_server if on_server else _in_file)()


def _in_file() -> None:
    here = " AND ".join(
        f"{name} = coalesce(NEW.analyst, '')" if name == "analyst" else f"{name} = NEW.{name}" for name in _ACCOUNT
    )
    # In two steps: the words ON CONFLICT of a trigger give way to those of the statement that fires it.
    op.execute(
        "CREATE TRIGGER charges_summed AFTER INSERT ON charges BEGIN "
        f"INSERT INTO charge_totals ({_NAMES}, rho, delta) SELECT {_NEW}, 0, 0 "
        f"WHERE NOT EXISTS (SELECT 1 FROM charge_totals WHERE {here}); "
        f"UPDATE charge_totals SET rho = rho + NEW.rho, delta = delta + NEW.delta WHERE {here}; END"
    )
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _ACCOUNT)
    op.execute(
        "CREATE TRIGGER totals_grow BEFORE UPDATE ON charge_totals "
        f"WHEN NEW.rho < OLD.rho OR NEW.delta < OLD.delta OR {changed} BEGIN SELECT RAISE(ABORT, '{_GROW}'); END"
    )
    op.execute(f"CREATE TRIGGER totals_stay BEFORE DELETE ON charge_totals BEGIN SELECT RAISE(ABORT, '{_GROW}'); END")


def _on_server() -> None:
    op.execute(f"""
        CREATE FUNCTION charges_summed() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
          -- It has its owner's rights: nobody may put it on a table of their own.
          IF TG_RELID <> 'public.charges'::regclass THEN RAISE EXCEPTION '{_GROW}'; END IF;
          INSERT INTO public.charge_totals AS held ({_NAMES}, rho, delta) VALUES ({_NEW}, NEW.rho, NEW.delta)
          ON CONFLICT ({_NAMES}) DO UPDATE SET rho = held.rho + NEW.rho, delta = held.delta + NEW.delta;
          RETURN NULL;
        END $$
    """)
    op.execute("CREATE TRIGGER charges_summed AFTER INSERT ON charges FOR EACH ROW EXECUTE FUNCTION charges_summed()")
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _ACCOUNT)
    op.execute(f"""
        CREATE FUNCTION totals_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
          IF TG_OP <> 'UPDATE' THEN RAISE EXCEPTION '{_GROW}'; END IF;
          IF NEW.rho < OLD.rho OR NEW.delta < OLD.delta OR {changed} THEN RAISE EXCEPTION '{_GROW}'; END IF;
          RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER totals_guard BEFORE UPDATE OR DELETE ON charge_totals "
        "FOR EACH ROW EXECUTE FUNCTION totals_guard()"
    )
    op.execute("CREATE TRIGGER totals_stay BEFORE TRUNCATE ON charge_totals EXECUTE FUNCTION totals_guard()")
    _enter()


def _enter() -> None:
    """The same rules as privacy.standing has them, in one call: under the caller's own rights, row security included.

    `known`: how many epochs, years and units of the dataset the caller has found to be no hindrance. The charge is
    entered where `entered` is given back; else the caller says, from what is given back, why it is not.
    """
    op.execute(f"""
        CREATE PROCEDURE enter_charge(
          a_dataset text, a_epoch text, a_year text, a_purpose text, a_question text, a_policy text, a_unit text,
          a_rho bigint, a_delta bigint, a_created text, a_analyst text, a_content bytea,
          cap_purpose_rho bigint, cap_analyst_rho bigint, cap_epoch_rho bigint, cap_epoch_delta bigint,
          cap_year_rho bigint, cap_year_delta bigint, known bigint,
          OUT entered bigint, OUT state text, OUT kin boolean,
          OUT purpose_rho bigint, OUT analyst_rho bigint, OUT epoch_rho bigint, OUT epoch_delta bigint,
          OUT year_rho bigint, OUT year_delta bigint
        ) LANGUAGE plpgsql AS $$
        DECLARE
          last_seq bigint := 0;
          last_chain text := repeat('0', 64);
        BEGIN
          -- The turn: it ends with the transaction, and each statement below sees all that was committed before it.
          PERFORM pg_advisory_xact_lock({_WRITERS});
          -- It ends before the row is on disk, so that many share one flush: what is below waits for that.
          PERFORM set_config('synchronous_commit', 'off', true);
          SELECT held.state INTO state FROM public.charges held
            WHERE held.question = a_question AND held.state <> 'burned';
          SELECT
            coalesce(bool_or(held.epoch = a_epoch AND held.unit = a_unit), false),
            coalesce(sum(held.rho) FILTER (WHERE held.epoch = a_epoch AND held.purpose = a_purpose), 0),
            coalesce(sum(held.rho) FILTER (
              WHERE held.epoch = a_epoch AND held.purpose = a_purpose AND held.analyst = a_analyst), 0),
            coalesce(sum(held.rho) FILTER (WHERE held.epoch = a_epoch), 0),
            coalesce(sum(held.delta) FILTER (WHERE held.epoch = a_epoch), 0),
            coalesce(sum(held.rho) FILTER (WHERE held.year = a_year), 0),
            coalesce(sum(held.delta) FILTER (WHERE held.year = a_year), 0)
          INTO kin, purpose_rho, analyst_rho, epoch_rho, epoch_delta, year_rho, year_delta
          FROM public.charge_totals held
          WHERE held.dataset = a_dataset AND (held.epoch = a_epoch OR held.year = a_year);
          IF state IS NOT NULL
            OR purpose_rho + a_rho > cap_purpose_rho
            OR analyst_rho + a_rho > cap_analyst_rho
            OR epoch_rho + a_rho > cap_epoch_rho OR epoch_delta + a_delta > cap_epoch_delta
            OR year_rho + a_rho > cap_year_rho OR year_delta + a_delta > cap_year_delta
          THEN RETURN; END IF;
          IF NOT kin AND known IS DISTINCT FROM (
            SELECT count(*) FROM (
              SELECT DISTINCT held.epoch, held.year, held.unit FROM public.charge_totals held
              WHERE held.dataset = a_dataset) one)
          THEN RETURN; END IF;
          SELECT held.seq, held.chain INTO last_seq, last_chain FROM public.charges held
            ORDER BY held.seq DESC LIMIT 1;
          entered := coalesce(last_seq, 0) + 1;
          INSERT INTO public.charges (
            seq, dataset, epoch, year, purpose, question, policy, unit, rho, delta, created, analyst, state, chain
          ) VALUES (
            entered, a_dataset, a_epoch, a_year, a_purpose, a_question, a_policy, a_unit, a_rho, a_delta, a_created,
            a_analyst, 'reserved',
            encode(sha256(convert_to(coalesce(last_chain, repeat('0', 64)), 'UTF8') || a_content), 'hex')
          );
          -- Before the commit: nobody may ever see the row without its lock held.
          PERFORM pg_advisory_lock({_IN_FLIGHT}, entered::integer);
          COMMIT;
          PERFORM pg_logical_emit_message(true, 'sfumato', '');  -- the smallest commit that waits for the disk
        END $$
    """)
