"""Tables are brought up to date wherever they are, never taken from a newer program, and are what the code declares."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL

import audits
import postgres
from sfumato.audit import database as audit
from sfumato.database import migrate, roles, version
from sfumato.errors import BudgetExhausted, StorageError
from sfumato.privacy.charges import GENESIS, charges, content, link, totals
from sfumato.privacy.ledger import Caps, Charge, Ledger
from sfumato.serve import api_keys, release_table

CAPS = Caps(purpose_rho=100, epoch_rho=100, epoch_delta=10, yearly_rho=150, yearly_delta=15)
CHARGE = Charge(
    dataset="chats", epoch="2026-11", year="2026", purpose="release", question="q", policy="p", unit="user",
    rho=10, delta=1, created="2026-11-21T00:00:00Z",
)  # fmt: skip
# As session after session has written it before versions were noted; never to be changed.
OLD_LEDGER = """
CREATE TABLE charges (
  seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, dataset VARCHAR NOT NULL, epoch VARCHAR NOT NULL,
  year VARCHAR NOT NULL, purpose VARCHAR NOT NULL, question VARCHAR NOT NULL, policy VARCHAR NOT NULL,
  unit VARCHAR NOT NULL, rho BIGINT NOT NULL CHECK (rho > 0), delta BIGINT NOT NULL CHECK (delta >= 0),
  created VARCHAR NOT NULL, chain VARCHAR NOT NULL,
  state VARCHAR NOT NULL CHECK (state in ('reserved','released','burned')), answer VARCHAR
);
CREATE UNIQUE INDEX one_live_answer ON charges (question) WHERE state != 'burned';
INSERT INTO charges VALUES (1, 'chats', '2026-11', '2026', 'release', 'q', 'p', 'user', 10, 1, '2026-11-21T00:00:00Z',
  '{chain}', 'released', 'the bytes');
"""
OLD_CHAIN = "{chain}"


def table_of(path: Path, statement: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as raw:
        found = raw.execute(statement).fetchall()
    raw.close()
    return found


@pytest.fixture
def old_ledger(tmp_path: Path) -> Path:
    """A ledger made before versions were noted, with one release in it."""
    from sfumato.privacy.charges import CHAINED, GENESIS, link

    chain = link(GENESIS, {name: getattr(CHARGE, name) for name in CHAINED})
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as raw:
        raw.executescript("PRAGMA journal_mode=WAL;" + OLD_LEDGER.replace(OLD_CHAIN, chain))
    raw.close()
    return path


def test_the_versions_known_are_the_versions_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._SCRIPTS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(revisions)) == version.KNOWN


def test_an_older_ledger_is_stamped_and_brought_up_to_date_as_it_is_opened(old_ledger: Path) -> None:
    assert migrate.of_file(old_ledger) is None
    ledger = Ledger(old_ledger)
    assert ledger.answer_to("q") == "the bytes"
    assert ledger.spent(dataset="chats") == (10, 1)
    with pytest.raises(BudgetExhausted):  # what was spent before is in the totals
        ledger.check(dataclasses.replace(CHARGE, question="r", rho=91), CAPS)
    ledger.close()
    assert migrate.of_file(old_ledger) == version.HEAD
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        table_of(old_ledger, "DELETE FROM charges")


def test_migrating_again_changes_nothing(old_ledger: Path) -> None:
    assert [migrate.sqlite(old_ledger, "ledger") for _ in range(3)] == [None, version.HEAD, version.HEAD]
    url = postgres.server().database()
    assert migrate.postgres(url) == version.HEAD


def test_an_older_ledger_and_a_new_one_have_the_same_tables(old_ledger: Path, tmp_path: Path) -> None:
    migrate.sqlite(old_ledger, "ledger")
    migrate.sqlite(tmp_path / "new.db", "ledger")
    wanted = "SELECT type, name FROM sqlite_master ORDER BY name"
    assert table_of(old_ledger, wanted) == table_of(tmp_path / "new.db", wanted)


def test_an_older_audit_log_goes_on_after_it_is_migrated(tmp_path: Path) -> None:
    audits.log_of(tmp_path, 3, checkpoints=(2,))
    assert migrate.sqlite(tmp_path / "log.db", "audit") is None
    assert migrate.of_file(tmp_path / "log.db") == version.HEAD
    audits.log_of(tmp_path, 2)
    assert audits.report_on(tmp_path).good
    assert audits.report_on(tmp_path).entries == 5


def test_an_audit_log_made_by_a_migration_is_one_like_any_other(tmp_path: Path) -> None:
    migrate.sqlite(tmp_path / "log.db", "audit")
    audits.log_of(tmp_path, 3, checkpoints=(2,))
    assert audits.report_on(tmp_path).good


def test_a_newer_database_is_refused_in_one_line_and_not_touched(tmp_path: Path) -> None:
    path, url = tmp_path / "ledger.db", postgres.server().database()
    Ledger(path).close()
    table_of(path, "UPDATE alembic_version SET version_num = '0999'")
    postgres.run(url, "UPDATE alembic_version SET version_num = '0999'")
    before = path.read_bytes()
    for use in (lambda: Ledger(path), lambda: migrate.sqlite(path, "ledger")):
        with pytest.raises(StorageError, match="made by a newer sfumato"):
            use()
    assert path.read_bytes() == before
    for use in (lambda: Ledger(url), lambda: migrate.postgres(url), lambda: release_table.ReleaseTable(url)):
        with pytest.raises(StorageError, match="made by a newer sfumato"):
            use()
    with pytest.raises(StorageError, match="made by a newer sfumato"):
        api_keys.ApiKeys.open(tmp_path, url=url)


def test_a_server_whose_tables_are_older_waits_for_the_operator(tmp_path: Path) -> None:
    url = postgres.server().database()
    postgres.run(url, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(StorageError, match="sfumato db migrate"):
        Ledger(url)


@pytest.fixture
def third() -> URL:
    """A server's database of version 3, with two charges: of nobody, and of an empty name."""
    server = postgres.server()
    url = server.admin.set(database=f"third_{next(postgres.numbers)}")
    postgres.run(server.admin, f"CREATE DATABASE {url.database}")
    roles.create(url)
    engine = sql.create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql(f"SET LOCAL ROLE {roles.OWNER}")
        config = migrate._config(migrate.ALL)
        config.attributes["connection"] = db
        command.upgrade(config, "0003")
        for seq, analyst in ((1, None), (2, "")):
            enter_by_hand(db, seq, analyst)
    engine.dispose()
    return url


def enter_by_hand(db: sql.Connection, seq: int, analyst: str | None) -> None:
    """A charge as a program of version 3 enters it."""
    found = db.execute(sql.select(charges.c.chain).order_by(charges.c.seq.desc()).limit(1)).scalar_one_or_none()
    fields = {**dataclasses.asdict(CHARGE), "question": f"q{seq}", "analyst": analyst}
    row = {**fields, "seq": seq, "state": "reserved", "chain": link(found or GENESIS, content(fields))}
    db.execute(charges.insert().values(row))


def test_a_server_of_version_3_is_brought_up_to_date_with_what_was_spent(third: URL) -> None:
    assert migrate.postgres(third) == "0003"
    ledger = Ledger(third.set(username="gate"))
    with pytest.raises(BudgetExhausted):
        ledger.check(dataclasses.replace(CHARGE, question="r", rho=81), CAPS)
    ledger.close()


def test_a_charge_that_is_committed_while_a_server_is_migrated_is_in_the_totals(third: URL) -> None:
    engine = sql.create_engine(third)
    with ThreadPoolExecutor(1) as other, engine.connect() as db:
        enter_by_hand(db, 3, None)
        migrated = other.submit(migrate.postgres, third)
        with postgres.connected(third) as looking:
            for _ in range(200):
                if looking.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar():
                    break
                time.sleep(0.05)
        db.commit()
        assert migrated.result(60) == "0003"
    engine.dispose()
    ledger = Ledger(third)
    assert ledger.spent(dataset="chats") == (30, 3)
    ledger.close()


def test_only_a_member_of_the_owner_migrates() -> None:
    url = postgres.server().database()
    assert migrate.postgres(url.set(username="keeper")) == version.HEAD
    for user in ("gate", "desk"):
        with pytest.raises(StorageError, match="no member of sfumato_owner"):
            migrate.postgres(url.set(username=user))


def test_the_tables_that_migrations_make_are_those_that_the_code_declares() -> None:
    declared = sql.MetaData()
    for table in (charges, totals, api_keys._ON_SERVER, release_table._releases, *audit._metadata.sorted_tables):
        table.to_metadata(declared)
    with postgres.connected(postgres.server().database()) as db:
        context = MigrationContext.configure(
            db, opts={"include_name": lambda name, kind, _parents: kind != "index" and name != "alembic_version"}
        )
        assert compare_metadata(context, declared) == []


def test_what_init_prints_makes_the_same_database_by_hand() -> None:
    from sfumato.cli import db
    from sfumato.database import roles

    parts = (*roles.roles(), *roles.schemas(), f"SET ROLE {roles.OWNER}")
    script = db._script(parts, migrate.statements(), roles.rights())
    server = postgres.server()
    name = "by_hand"
    postgres.run(server.admin, f"CREATE DATABASE {name}")
    url = server.admin.set(database=name)
    postgres.run(url, script.replace("%", "%%"))
    assert migrate.postgres(url.set(username="keeper")) == version.HEAD
    ledger = Ledger(url.set(username="gate"))
    ledger.released(ledger.reserve(CHARGE, CAPS), "answer")
    ledger.close()


@pytest.mark.parametrize("part", ["ledger", "keys", "audit"])
def test_two_who_open_a_new_file_at_once_both_find_it_ready(tmp_path: Path, part: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: migrate.of_file(_ready(tmp_path / "one.db", part)), range(4)))
    assert found == [version.HEAD] * 4


def _ready(path: Path, part: str) -> Path:
    migrate.sqlite(path, part)
    return path
