"""`sfumato db`: what it prints, what it makes, how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

import postgres
from sfumato.cli import db
from sfumato.database import migrate, version
from sfumato.errors import StorageError
from sfumato.privacy.ledger import Caps, Charge, Ledger

SECRET = "hunter2secret"
CAPS = Caps(purpose_rho=100, epoch_rho=100, epoch_delta=10, yearly_rho=150, yearly_delta=15)
CHARGE = Charge(
    dataset="chats", epoch="2026-11", year="2026", purpose="release", question="q", policy="p", unit="user",
    rho=10, delta=1, created="2026-11-21T00:00:00Z",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _unset(monkeypatch) -> None:
    monkeypatch.delenv("SFUMATO_DATABASE", raising=False)


def run(*words: object) -> str:
    result = CliRunner().invoke(db.group, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def text(url) -> str:
    return url.set(password=SECRET).render_as_string(hide_password=False)


def empty(name: str):
    server = postgres.server()
    postgres.run(server.admin, f"CREATE DATABASE {name}")
    return server.admin.set(database=name)


def test_init_makes_a_database_that_the_gateway_can_use_and_may_be_run_again() -> None:
    url = empty("cli_init")
    for _ in range(2):
        said = run("init", "--database", text(url))
        assert SECRET not in said
        assert "is ready" in said
    Ledger(url.set(username="gate")).close()
    for user in ("gate", "desk"):
        with (
            postgres.connected(url.set(username=user)) as connected,
            pytest.raises(DBAPIError, match="permission denied to create temporary tables"),
        ):
            connected.exec_driver_sql("CREATE TEMP TABLE mine (body text)")


def test_init_takes_the_database_from_the_environment(monkeypatch) -> None:
    url = empty("cli_environment")
    monkeypatch.setenv("SFUMATO_DATABASE", text(url))
    assert json.loads(run("init", "--json"))["roles"] == ["sfumato_owner", "sfumato_pipeline", "sfumato_serving"]
    assert SECRET not in run("init", "--help")
    assert json.loads(run("status", "--json"))["found"].popitem()[1] == version.HEAD


def test_print_runs_nothing_and_needs_no_database() -> None:
    said = run("init", "--print")
    for statement in ("CREATE ROLE sfumato_serving NOLOGIN", "CREATE TABLE charges", "CREATE POLICY"):
        assert statement in said


def test_status_and_migrate_of_a_data_directory(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db").close()
    assert json.loads(run("status", "--data", tmp_path, "--json")) == {
        "version": version.HEAD,
        "found": {"ledger": version.HEAD},
    }
    assert "as it was" in run("migrate", "--data", tmp_path)


def test_migrate_adds_charges_up_again_where_totals_are_less(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.burned(ledger.reserve(CHARGE, CAPS))
    ledger.close()
    place = f"sqlite:///{tmp_path / 'ledger.db'}"
    postgres.run(sql.make_url(place), "DROP TRIGGER totals_stay", "DELETE FROM charge_totals")
    with pytest.raises(StorageError, match="sfumato db migrate"):
        Ledger(tmp_path / "ledger.db")
    assert "any more: 1" in run("migrate", "--data", tmp_path)
    assert json.loads(run("migrate", "--data", tmp_path, "--json"))["raised_totals"] == 0
    Ledger(tmp_path / "ledger.db").close()


def test_status_fails_where_something_is_to_be_done_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "access.db").touch()
    result = CliRunner().invoke(db.group, ["status", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "not noted" in result.output
    assert migrate.of_file(tmp_path / "access.db") is None


def test_backup_and_restore_of_a_data_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Ledger(tmp_path / "data" / "ledger.db").close()
    assert "ledger.db" in run("backup", tmp_path / "copy", "--data", tmp_path / "data")
    assert json.loads(run("restore", tmp_path / "copy", "--data", tmp_path / "new", "--json")) == ["ledger.db"]
    Ledger(tmp_path / "new" / "ledger.db").close()


@pytest.mark.parametrize("command", ["init", "migrate", "status", "backup", "restore"])
def test_a_command_that_is_not_told_which_database_says_so(command: str, tmp_path: Path) -> None:
    words = [command] + ([str(tmp_path / "x")] if command in {"backup", "restore"} else [])
    result = CliRunner().invoke(db.group, words)
    assert result.exit_code == 2
    assert "--database" in result.output


def test_a_server_that_refuses_is_said_in_one_line_without_the_password() -> None:
    url = postgres.server().admin.set(database="nowhere")
    for command in ("init", "migrate", "status"):
        result = CliRunner().invoke(db.group, [command, "--database", text(url)])
        assert isinstance(result.exception, StorageError)
        assert SECRET not in f"{result.exception}{result.output}"
