"""Backups taken while the databases are in use can be restored, and an old ledger is not taken for the present one."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL

import audits
import postgres
from releases import KEY, sample
from sfumato.database import backup, migrate, version
from sfumato.errors import InputError, StorageError
from sfumato.model.document import encode
from sfumato.model.signature import sign
from sfumato.model.strict_json import dumps
from sfumato.privacy.ledger import Caps, Charge, Ledger
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.release_table import ReleaseTable

CAPS = Caps(purpose_rho=10**6, epoch_rho=10**6, epoch_delta=10**6, yearly_rho=10**6, yearly_delta=10**6)


def charge(question: str, epoch: str = "2026-11") -> Charge:
    return Charge(
        dataset="chats", epoch=epoch, year="2026", purpose="release", question=question, policy="p", unit="user",
        rho=10, delta=1, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


@pytest.fixture
def programs(monkeypatch) -> None:
    """pg_dump and pg_restore where they are looked for."""
    monkeypatch.setenv("PATH", f"{postgres.server().programs}{os.pathsep}{os.environ['PATH']}")


class Files:
    """A data directory with SQLite files, and another to restore into."""

    def __init__(self, folder: Path) -> None:
        self.data, self.empty, self.copy = folder / "data", folder / "restored", folder / "backup"
        self.data.mkdir()
        self.ledger, self.restored_ledger = self.data / "ledger.db", self.empty / "ledger.db"

    def back_up(self) -> None:
        backup.copy_files(self.data, self.copy)

    def restore(self) -> None:
        backup.restore_files(self.copy, self.empty)


class Databases:
    """A database on the server, and an empty one to restore into."""

    def __init__(self, folder: Path, name: str) -> None:
        server = postgres.server()
        self.ledger, self.copy = server.database(), folder / "backup.dump"
        postgres.run(server.admin, f"CREATE DATABASE {name}")
        self.restored_ledger = server.admin.set(database=name)

    def back_up(self) -> None:
        backup.dump(self.ledger.set(username="keeper"), self.copy)

    def restore(self) -> None:
        backup.restore_dump(self.copy, self.restored_ledger)


@pytest.fixture(params=["sqlite", "postgres"])
def deployment(request, tmp_path: Path, programs: None) -> Files | Databases:
    if request.param == "sqlite":
        return Files(tmp_path)
    return Databases(tmp_path, f"restored_{next(postgres.numbers)}")


def test_a_restored_ledger_holds_what_was_spent_and_goes_on(deployment: Files | Databases) -> None:
    ledger = Ledger(deployment.ledger)
    ledger.released(ledger.reserve(charge("q"), CAPS), "answer")
    ledger.burned(ledger.reserve(charge("r"), CAPS))
    deployment.back_up()
    ledger.close()
    deployment.restore()
    restored = Ledger(deployment.restored_ledger)
    assert restored.answer_to("q") == "answer"
    assert [entry.state for entry in restored.entries()] == ["released", "burned"]
    restored.released(restored.reserve(charge("next"), CAPS), "goes on")
    restored.check_accounts_for([("chats", "2026-11")])
    restored.close()


def test_a_ledger_restored_from_before_a_release_is_refused_and_not_read_as_unspent(
    deployment: Files | Databases,
) -> None:
    ledger = Ledger(deployment.ledger)
    ledger.released(ledger.reserve(charge("q"), CAPS), "answer")
    deployment.back_up()
    ledger.released(ledger.reserve(charge("later", epoch="2026-12"), CAPS), "made after the backup")
    made = [("chats", "2026-11"), ("chats", "2026-12")]
    ledger.check_accounts_for(made)
    ledger.close()
    deployment.restore()
    restored = Ledger(deployment.restored_ledger)
    with pytest.raises(StorageError, match="does not account for every release"):
        restored.check_accounts_for(made)
    restored.close()


def test_a_charge_in_flight_at_the_time_of_the_backup_is_burned_after_it(deployment: Files | Databases) -> None:
    ledger = Ledger(deployment.ledger)
    ledger.reserve(charge("q"), CAPS)
    deployment.back_up()
    deployment.restore()
    restored = Ledger(deployment.restored_ledger)
    assert restored.recover() == 1
    assert restored.spent(dataset="chats") == (10, 1)
    for each in (ledger, restored):
        each.close()


def test_a_backup_taken_while_charges_are_entered_is_whole(deployment: Files | Databases) -> None:
    ledger = Ledger(deployment.ledger)
    begun, stop = threading.Event(), threading.Event()

    def charges() -> None:
        writer = Ledger(deployment.ledger)
        for number in range(10_000):
            writer.released(writer.reserve(charge(f"q{number}"), CAPS), "x" * 1000)
            begun.set()
            if stop.is_set():
                break
        writer.close()

    thread = threading.Thread(target=charges)
    thread.start()
    assert begun.wait(30)
    deployment.back_up()
    stop.set()
    thread.join(30)
    deployment.restore()
    restored = Ledger(deployment.restored_ledger)  # checks number and chain of every row
    assert 1 <= len(restored.entries()) <= len(ledger.entries())
    for each in (ledger, restored):
        each.close()


def test_nothing_is_restored_over_a_ledger_and_no_backup_over_another(deployment: Files | Databases) -> None:
    Ledger(deployment.ledger).close()
    deployment.back_up()
    with pytest.raises(InputError, match="is there already"):
        deployment.back_up()
    deployment.restore()
    before = backup_size(deployment.copy)
    with pytest.raises(InputError, match=r"already"):
        deployment.restore()
    assert backup_size(deployment.copy) == before


def backup_size(place: Path) -> int:
    return sum(path.stat().st_size for path in (place.iterdir() if place.is_dir() else [place]))


def test_only_the_owner_can_read_a_backup(deployment: Files | Databases) -> None:
    Ledger(deployment.ledger).close()
    deployment.back_up()
    found = deployment.copy.iterdir() if deployment.copy.is_dir() else [deployment.copy]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


def test_keys_and_the_audit_log_are_in_a_backup_of_files_and_the_pepper_is_not(tmp_path: Path) -> None:
    place = Files(tmp_path)
    keys = ApiKeys.open(place.data)
    token = keys.issue("analyst")
    audits.log_of(place.data / "audit", 3)
    Ledger(place.ledger).close()
    place.back_up()
    assert {path.name for path in place.copy.iterdir()} == {"ledger.db", "keys.db", "audit.db"}
    place.restore()
    (place.empty / "access.pepper").write_bytes((place.data / "access.pepper").read_bytes())
    (place.empty / "access.pepper").chmod(0o600)
    assert ApiKeys.read_only(place.empty, lambda: datetime(2026, 11, 21, tzinfo=UTC)).authenticate(token)
    assert audits.report_on(place.empty / "audit").entries == 3


def test_a_dump_brings_back_tables_roles_rights_and_guards(tmp_path: Path, programs: None) -> None:
    place = Databases(tmp_path, f"restored_{next(postgres.numbers)}")
    table = ReleaseTable(place.ledger.set(username="gate"))
    table.add(sample().id, dumps(sign(encode(sample()), KEY)))
    table.close()
    place.back_up()
    place.restore()
    url: URL = place.restored_ledger
    assert migrate.of_server(url) == version.HEAD
    desk = ReleaseTable(url.set(username="desk"))
    assert [name for name, _ in desk.names()] == [sample().id]
    with pytest.raises(StorageError, match="permission denied"):
        desk.add("rel_1", b"forged")
    desk.close()
    gate = Ledger(url.set(username="gate"))
    gate.released(gate.reserve(charge("q"), CAPS), "answer")
    gate.close()
    with pytest.raises(Exception, match="never deleted"):
        postgres.run(url, "DELETE FROM charges")


def test_a_role_that_sees_only_a_part_makes_no_backup_at_all(tmp_path: Path, programs: None) -> None:
    url = postgres.server().database()
    with pytest.raises(StorageError, match=r"row-level security|permission denied"):
        backup.dump(url.set(username="desk", password="hunter2secret"), tmp_path / "partial.dump")
    assert not (tmp_path / "partial.dump").exists()


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    place = Files(tmp_path)
    place.copy.mkdir()
    (place.copy / "ledger.db").write_bytes(b"not a database, by any reading of it" * 400)
    with pytest.raises(StorageError):
        place.restore()
    assert not place.restored_ledger.exists()


def test_without_the_programs_of_postgres_a_dump_says_what_is_missing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError, match="pg_dump is not installed"):
        backup.dump(postgres.server().admin, tmp_path / "backup.dump")
