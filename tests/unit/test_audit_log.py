"""The audit log: what it takes, what it refuses, and what it signs."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy.dialects import postgresql

from audits import KEY, OTHER_KEY, TIME, event, log_of, report_on, rows, tamper
from sfumato.audit import database, tree
from sfumato.audit.anchor import command, pin, pinned
from sfumato.audit.log import AuditLog
from sfumato.audit.replay import Tampered
from sfumato.audit.turns import Turns
from sfumato.errors import InputError, StorageError


@pytest.fixture
def log(tmp_path: Path):
    with closing(AuditLog.open(tmp_path / "audit")) as opened:
        yield opened


def test_events_come_back_in_order_under_the_numbers_they_were_given(log: AuditLog) -> None:
    assert [log.append(event(number)) for number in range(3)] == [0, 1, 2]
    assert log.append_many([event(3), event(4)]) == range(3, 5)
    assert log.append_many([]) == range(5, 5)
    assert list(log.events()) == [(number, event(number)) for number in range(5)]
    assert list(log.events(last=2)) == [(3, event(3)), (4, event(4))]
    assert list(log.events(last=99)) == list(log.events())


@pytest.mark.parametrize("sizes", [(1,) * 17, (5, 12), (17,), (16, 1), (1, 16)], ids=str)
def test_the_tree_is_the_same_however_the_events_were_batched(log: AuditLog, sizes: tuple[int, ...]) -> None:
    written = 0
    for size in sizes:
        log.append_many([event(number) for number in range(written, written + size)])
        written += size
    frontier = tree.Frontier()
    with log.stored() as stored:
        for entry in stored.entries:
            frontier.append(tree.leaf_hash(entry.body))
    assert log.head() == (17, frontier.root())
    log.checkpoint(log.signer(KEY), time=TIME)
    for seq in range(17):
        with log.stored() as stored:
            leaf = [entry.leaf for entry in stored.entries][seq]
        assert tree.verify_inclusion(seq, 17, leaf, log.inclusion(seq, 17), frontier.root())
    assert log.consistency(17, 17) == []


def test_an_event_that_may_not_be_there_writes_nothing_of_its_batch(log: AuditLog) -> None:
    bad = event()
    object.__setattr__(bad, "dataset", "a whole sentence")
    with pytest.raises(ValueError, match="dataset"):
        log.append_many([event(), bad])
    with pytest.raises(ValueError, match="dataset"):
        log.append(bad)
    assert log.append(event()) == 0


def test_each_commit_is_flushed_to_the_disk_before_append_returns(log: AuditLog) -> None:
    with log._database.writing() as db:
        assert db.execute(sql.text("PRAGMA synchronous")).scalar() == 2
        assert db.execute(sql.text("PRAGMA journal_mode")).scalar() == "wal"


@pytest.mark.parametrize("table", ["audit_entries", "audit_nodes", "audit_checkpoints"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET {} = {}", "DELETE FROM {}"], ids=["update", "delete"])
def test_the_database_itself_refuses_to_change_or_remove_a_row(tmp_path: Path, table: str, verb: str) -> None:
    log_of(tmp_path, 4, checkpoints=(4,))
    column = {"audit_entries": "leaf", "audit_nodes": "hash", "audit_checkpoints": "note"}[table]
    with (
        closing(sqlite3.connect(tmp_path / "log.db")) as db,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        db.execute(verb.format(table, column, column))


def test_a_reader_sees_one_state_and_a_read_only_log_takes_nothing(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    with closing(AuditLog.open(tmp_path)) as writer, closing(AuditLog.read_only(tmp_path)) as reader:
        with reader.stored() as stored:
            assert next(stored.entries).seq == 0
            writer.append_many([event()] * 2000)
            assert sum(1 for _ in stored.entries) == 2
        with pytest.raises(StorageError, match="readonly"):
            reader.append(event())
    assert report_on(tmp_path).entries == 2003


def test_nobody_else_may_read_the_log(tmp_path: Path) -> None:
    log_of(tmp_path / "audit", 1, checkpoints=(1,))
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "audit").iterdir()} == {0o600}


def test_where_there_is_no_log_there_is_none_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no audit log here yet"):
        AuditLog.read_only(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database, by any reading of it" * 400)
    with pytest.raises(StorageError, match="not a database"):
        AuditLog.open(tmp_path)


def test_a_checkpoint_signs_all_entries_and_goes_to_every_anchor(log: AuditLog, tmp_path: Path) -> None:
    log.append_many([event()] * 5)
    heard: list[bytes] = []
    made = log.checkpoint(log.signer(KEY), time=TIME, anchors=[heard.append, pin(tmp_path / "pinned")])
    assert (made.size, made.root) == log.head()
    assert heard == [pinned(tmp_path / "pinned")]
    assert log.checkpoint(log.signer(KEY), time="2027-01-01T00:00:00Z", anchors=[heard.append]) == made
    assert heard[0] == heard[1]  # nothing new to sign: the same note again, for an anchor that missed it
    log.append(event())
    assert log.checkpoint(log.signer(KEY), time=TIME).size == 6
    assert report_on(tmp_path / "audit").checkpoints == 2


def test_an_empty_log_can_be_signed_too(log: AuditLog, tmp_path: Path) -> None:
    assert log.checkpoint(log.signer(KEY), time=TIME).size == 0
    log.append(event())
    assert report_on(tmp_path / "audit").good


def test_an_anchor_s_command_reads_the_note_and_its_failure_is_ours(log: AuditLog, tmp_path: Path) -> None:
    log.append(event())
    log.checkpoint(log.signer(KEY), time=TIME, anchors=[command(["tee", str(tmp_path / "out")])])
    assert (tmp_path / "out").read_bytes() == rows(tmp_path / "audit", "SELECT note FROM audit_checkpoints")[0][0]
    for words in (["false"], [str(tmp_path / "nowhere")]):
        with pytest.raises(StorageError, match="the anchor's command failed"):
            log.checkpoint(log.signer(KEY), time=TIME, anchors=[command(words)])


def test_a_changed_key_signs_on_where_the_old_one_is_vouched_for(log: AuditLog, tmp_path: Path) -> None:
    old, new = log.signer(KEY), None
    log.append(event())
    log.checkpoint(old, time=TIME)
    log.append(event())
    new = log.signer(OTHER_KEY)
    with pytest.raises(StorageError, match="signed by none of the keys"):
        log.checkpoint(new, time=TIME)
    assert log.checkpoint(new, time=TIME, previous=[old.key]).size == 2
    assert report_on(tmp_path / "audit").good
    assert (tmp_path / "audit" / "keys").read_text().splitlines() == [str(old.key), str(new.key)]


def test_the_same_root_key_names_each_log_otherwise(tmp_path: Path) -> None:
    """So a checkpoint of one log is none of another's, though one key signed both."""
    for name in "ab":
        log_of(tmp_path / name, 1, checkpoints=(1,))
    a, b = ((tmp_path / name / "keys").read_text() for name in "ab")
    assert a.partition("+")[0] != b.partition("+")[0]
    (note,) = rows(tmp_path / "a", "SELECT note FROM audit_checkpoints")[0]
    (tmp_path / "pinned").write_bytes(note)
    with pytest.raises(StorageError, match="signed by none of the keys"):
        AuditLog.open(tmp_path / "b", pinned=tmp_path / "pinned")


@pytest.mark.parametrize("damage", ["UPDATE audit_entries SET body = x'00' WHERE seq = 5", "DELETE FROM audit_nodes"])
def test_a_log_whose_unsigned_tail_is_damaged_neither_opens_nor_is_signed(tmp_path: Path, damage: str) -> None:
    log_of(tmp_path, 7, checkpoints=(4,))
    opened = AuditLog.open(tmp_path)
    tamper(tmp_path, damage)
    with pytest.raises(Tampered):
        opened.checkpoint(opened.signer(KEY), time=TIME)
    opened.close()
    with pytest.raises(Tampered):
        AuditLog.open(tmp_path)
    assert len(rows(tmp_path, "SELECT 1 FROM audit_checkpoints")) == 1


def test_a_log_cut_short_while_in_use_takes_nothing_more(tmp_path: Path) -> None:
    log_of(tmp_path, 4)
    with closing(AuditLog.open(tmp_path)) as log:
        tamper(tmp_path, "DELETE FROM audit_entries WHERE seq = 3", "DELETE FROM audit_nodes WHERE upto = 4")
        with pytest.raises(StorageError, match="entry 3: missing"):
            log.append(event())


def test_a_log_without_the_keys_that_signed_it_does_not_open(tmp_path: Path) -> None:
    log_of(tmp_path, 2, checkpoints=(2,))
    (tmp_path / "keys").unlink()
    with pytest.raises(StorageError, match="signed by none of the keys"):
        AuditLog.open(tmp_path)
    (tmp_path / "keys").write_text("not a key\n")
    with pytest.raises(StorageError, match="restore it from a backup"):
        AuditLog.open(tmp_path)


def test_threads_share_a_write_and_each_gets_its_own_number(log: AuditLog) -> None:
    numbers: dict[int, list[int]] = {}

    def work(me: int) -> None:
        numbers[me] = [log.append(event(me)) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(chain(*numbers.values())) == list(range(80))
    by_number = dict(log.events())
    assert all(by_number[seq].charge.rho == me for me, found in numbers.items() for seq in found)


def test_a_failed_write_fails_for_everyone_in_it_and_for_nobody_after() -> None:
    entered, fail, written = threading.Event(), threading.Event(), []

    def write_all(events: list[object]) -> range:
        entered.set()
        if fail.is_set():
            raise StorageError("disk full")
        fail.wait(10)
        written.append(len(events))
        return range(len(events))

    turns, results = Turns(write_all), []

    def one() -> None:
        try:
            results.append(turns.write(event()))
        except StorageError as problem:
            results.append(str(problem))

    first, waiting = threading.Thread(target=one), [threading.Thread(target=one) for _ in range(3)]
    first.start()
    assert entered.wait(10)
    for thread in waiting:
        thread.start()
    deadline = time.monotonic() + 10
    while len(turns._queue) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    fail.set()
    for thread in (first, *waiting):
        thread.join(10)
    assert results[0] == 0
    assert (
        sorted(results[1:])
        == ["disk full"] + ["the audit log could not be written; what was to be done must not go on"] * 2
    )
    fail.clear()
    threading.Timer(0.05, fail.set).start()
    assert turns.write(event()) == 0
    assert written == [1, 1]


def test_the_tables_are_sound_on_postgresql_too() -> None:
    """Types only: the statements themselves need a server."""
    made = [
        str(sql.schema.CreateTable(table).compile(dialect=postgresql.dialect()))
        for table in database._metadata.sorted_tables
    ]
    assert sum("BIGINT NOT NULL" in one and "BYTEA NOT NULL" in one for one in made) == 3
    assert not any("SERIAL" in one or "WITHOUT" in one for one in made)
