"""What each role on PostgreSQL can and cannot do, found by trying."""
# ruff: noqa: S608 - the statements are our own, put together from our own words

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

import audits
import postgres
from sfumato.audit.log import AuditLog
from sfumato.errors import StorageError
from sfumato.privacy.ledger import Caps, Charge, Ledger

CAPS = Caps(purpose_rho=1000, epoch_rho=1000, epoch_delta=1000, yearly_rho=1000, yearly_delta=1000)


def charge(question: str, purpose: str) -> Charge:
    return Charge(
        dataset="chats", epoch="2026-11", year="2026", purpose=purpose, question=question, policy="p", unit="user",
        rho=10, delta=1, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


@pytest.fixture(scope="module")
def url() -> URL:
    """A database with a row in every table: a release's charge and a query's, both still reserved."""
    made = postgres.server().database()
    gate = Ledger(made.set(username="gate"))
    gate.released(gate.reserve(charge("done", "release"), CAPS), "answer")
    gate.close()
    columns = "dataset, epoch, year, purpose, question, policy, unit, rho, delta, created, chain, state"
    postgres.run(
        made,
        f"INSERT INTO charges (seq, {columns}) SELECT 2, dataset, epoch, year, 'release', 'open', policy, unit, rho, "
        "delta, created, chain, 'reserved' FROM charges",
        f"INSERT INTO charges (seq, {columns}) SELECT 3, dataset, epoch, year, 'queries', 'asked', policy, unit, rho, "
        "delta, created, chain, 'reserved' FROM charges WHERE seq = 1",
        "INSERT INTO api_keys VALUES ('0123456789abcdef', 'mac', 'analyst', '2026-11-21', NULL, false)",
        "INSERT INTO releases VALUES ('rel_1', 'body')",
        "INSERT INTO audit_entries VALUES (0, 'body', 'leaf')",
        "INSERT INTO audit_nodes VALUES (2, 1, 'hash')",
        "INSERT INTO audit_checkpoints VALUES (1, 'note')",
        "CREATE TABLE sfumato_private.derived (body text)",
    )
    return made


NOT_EVEN_READ = {"gate": ("api_keys", "sfumato_private.derived"), "desk": ("sfumato_private.derived",)}
TABLES = (
    "charges", "charge_totals", "releases", "api_keys", "audit_entries", "audit_nodes", "audit_checkpoints",
    "alembic_version", "sfumato_private.derived",
)  # fmt: skip
# A table of one's own, with the trigger that writes totals, would take back what was spent, or use up what is left.
OWN_TABLE = (
    "CREATE TEMP TABLE mine (dataset text, epoch text, year text, purpose text, unit text, analyst text, rho bigint, "
    "delta bigint); CREATE TRIGGER x AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION public.{}(); "
    "INSERT INTO mine VALUES ('chats', '2026-11', '2026', '{}', 'user', '', {}, {})"
)
FORBIDDEN_TO_BOTH = (
    OWN_TABLE.format("charges_summed", "none", -1_000_000_000_000_000, -1_000_000_000_000_000),
    OWN_TABLE.format("charges_summed", "release", 1000, 1000),
    *(OWN_TABLE.format(name, "none", 1, 1) for name in ("charges_guard", "append_only", "totals_guard")),
    "SELECT charges_summed()",
    "INSERT INTO charge_totals VALUES ('chats', '2026-11', '2026', 'none', 'user', '', -1, -1)",
    *(f"DELETE FROM {table}" for table in TABLES),
    *(f"TRUNCATE {table}" for table in TABLES),
    *(f"DROP TABLE {table}" for table in TABLES),
    "UPDATE charges SET rho = 1 WHERE seq = 3",
    "UPDATE charges SET question = 'x' WHERE seq = 3",
    "UPDATE charges SET answer = 'forged' WHERE seq = 1",
    "UPDATE charge_totals SET rho = rho + 1",
    "INSERT INTO charge_totals SELECT 'x', epoch, year, purpose, unit, analyst, 0, 0 FROM charge_totals LIMIT 1",
    "UPDATE releases SET body = 'x'",
    "UPDATE api_keys SET role = 'admin'",
    "INSERT INTO api_keys VALUES ('fedcba9876543210', 'mac', 'admin', '2026-11-21', NULL, false)",
    "UPDATE audit_entries SET body = 'x'",
    "UPDATE audit_nodes SET hash = 'x'",
    "UPDATE audit_checkpoints SET note = 'x'",
    "UPDATE alembic_version SET version_num = '9'",
    "ALTER TABLE charges DISABLE TRIGGER ALL",
    "ALTER TABLE charges DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE public.mine (body text)",
    "CREATE SCHEMA mine",
    "SET ROLE sfumato_owner",
    "GRANT SELECT ON api_keys TO PUBLIC",
)
COPY = (
    "INSERT INTO charges (seq, dataset, epoch, year, purpose, question, policy, unit, rho, delta, created, chain, "
    "state) SELECT 4, dataset, epoch, year, 'release', 'new', policy, unit, rho, delta, created, chain, 'reserved' "
    "FROM charges WHERE seq = 1"
)
ENTER = (
    "CALL enter_charge('chats', '2026-11', '2026', 'release', 'new', 'p', 'user', 1, 1, '2026', NULL, 'c', 1000, NULL, "
    "1000, 1000, 1000, 1000, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)
FORBIDDEN_TO_THE_SERVER = (
    COPY,
    ENTER,
    "INSERT INTO releases VALUES ('rel_2', 'forged')",
    "INSERT INTO audit_checkpoints VALUES (2, 'forged')",
)


REFUSALS = ("no row", "permission denied", "must be owner", "row-level security", "settled once")


def everything(url: URL) -> list[object]:
    """All rows of all tables, and who may do what with them."""
    rights = "SELECT relname, relacl::text, relrowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with postgres.connected(url) as db:
        rows = [db.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").all() for table in TABLES]
        return [*rows, db.exec_driver_sql(f"{rights} ORDER BY 1").all()]


def change_nothing(url: URL, user: str, statement: str) -> None:
    """Refused, or not a row affected; and everything is as it was."""
    before = everything(url)
    with postgres.connected(url.set(username=user)) as db:
        try:
            outcome = "no row" if db.exec_driver_sql(statement).rowcount <= 0 else "done"
        except DBAPIError as refusal:
            outcome = str(refusal.orig)
    assert any(word in outcome for word in REFUSALS)
    assert everything(url) == before


@pytest.mark.parametrize("statement", FORBIDDEN_TO_BOTH)
@pytest.mark.parametrize("user", ["gate", "desk"])
def test_neither_gateway_nor_server_may_remove_change_or_look_behind(url: URL, user: str, statement: str) -> None:
    change_nothing(url, user, statement)


@pytest.mark.parametrize("statement", FORBIDDEN_TO_THE_SERVER)
def test_the_server_adds_no_release_no_checkpoint_and_no_charge_of_a_release(url: URL, statement: str) -> None:
    change_nothing(url, "desk", statement)


def test_totals_are_written_by_the_table_of_charges_only_and_count_what_is_spent(url: URL) -> None:
    """Each line of defence by itself, as someone whom no right stops."""
    before = everything(url)
    with postgres.connected(url) as db:
        for statement, why in (
            (OWN_TABLE.format("charges_summed", "none", 1, 1), "a total only grows"),
            ("INSERT INTO charge_totals VALUES ('x', '2026-11', '2026', 'none', 'user', '', -1, 0)", "totals_count"),
        ):
            with pytest.raises(DBAPIError, match=why):
                db.exec_driver_sql(statement)
    assert everything(url) == before


@pytest.mark.parametrize("user", ["gate", "desk"])
def test_each_reads_what_its_work_needs_and_nothing_else(url: URL, user: str) -> None:
    for table in TABLES:
        with postgres.connected(url.set(username=user)) as db:
            if table in NOT_EVEN_READ[user]:
                with pytest.raises(DBAPIError, match="permission denied"):
                    db.exec_driver_sql(f"SELECT * FROM {table}")
            else:
                assert db.exec_driver_sql(f"SELECT * FROM {table}").all()


def test_the_server_settles_a_querys_charge_and_never_a_releases(url: URL) -> None:
    with postgres.connected(url.set(username="desk")) as db:
        settle = "UPDATE charges SET state = 'burned' WHERE seq = {}"
        assert db.exec_driver_sql(settle.format(2)).rowcount == 0
        assert db.exec_driver_sql(settle.format(3)).rowcount == 1
        assert db.exec_driver_sql("SELECT state FROM charges WHERE seq = 2").scalar() == "reserved"


def test_gateway_and_server_do_their_work_as_their_roles(tmp_path: Path) -> None:
    url = postgres.server().database()
    for user, purpose in (("gate", "release"), ("desk", "queries")):
        as_user = url.set(username=user)
        ledger = Ledger(as_user)
        ledger.released(ledger.reserve(charge(f"{user} a", purpose), CAPS), "answer")
        ledger.burned(ledger.reserve(charge(f"{user} b", purpose), CAPS))
        ledger.close()
        log = AuditLog.open(tmp_path, url=as_user.render_as_string(hide_password=False))
        log.append(audits.event())
        log.close()
    gate = Ledger(url.set(username="gate"))
    assert [entry.state for entry in gate.entries()] == ["released", "burned"] * 2
    gate.close()


def test_a_ledger_refuses_in_one_line_a_user_who_may_not(url: URL) -> None:
    postgres.run(url, "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    with pytest.raises(StorageError, match="member of its role"):
        Ledger(url.set(username="stranger"))


def test_the_server_leaves_a_dead_release_to_the_gateway(tmp_path: Path) -> None:
    url = postgres.server().database()
    gone = Ledger(url.set(username="gate"))
    gone.reserve(charge("q", "release"), CAPS)
    gone.close()
    desk, gate = Ledger(url.set(username="desk")), Ledger(url.set(username="gate"))
    assert desk.recover() == 0
    desk.released(desk.reserve(charge("r", "queries"), CAPS), "answer")
    assert gate.recover() == 1
    for ledger in (desk, gate):
        ledger.close()
