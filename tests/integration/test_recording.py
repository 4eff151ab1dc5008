"""What the gateway does is in the audit log: in order, with receipt, release and charge, signed, and never in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from audits import report_on
from gateways import NOW, gateway, policy, quiet, write_corpus
from sfumato import recording
from sfumato.audit.log import AuditLog
from sfumato.errors import BudgetExhausted, InputError, NoiseFailure, Refused, StorageError
from sfumato.model import strict_json
from sfumato.model.layout import Layout
from sfumato.privacy.ledger import Ledger
from sfumato.recording import About, Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.audit.event import Event


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl")


def events(data: Path) -> list[Event]:
    with closing(AuditLog.read_only(Layout(data=data).audit)) as log:
        return [event for _, event in log.events()]


def told(data: Path) -> list[tuple[str, str, str]]:
    return [(event.operation, event.decision, event.rule) for event in events(data)]


class NoNoise:
    """Noise that can't be drawn."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __getattr__(self, _name):
        raise NoiseFailure("the noise worker died")


def test_a_run_is_told_in_order_with_receipt_release_and_charge_and_every_entry_is_signed(data, corpus):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        receipt = opened.extract(advance=quiet)
        canonical = opened.release()
    assert told(data) == [
        ("policy_change", "allow", "policy.in_force"),
        ("ingest", "allow", "input"),
        ("extract", "allow", "extraction.provider"),
        ("discard", "allow", "retention.raw"),
        ("release", "allow", "ledger.reserved"),
        ("release", "allow", "ledger.released"),
    ]
    found = events(data)
    assert found[3].receipt == receipt
    assert found[-1].release == strict_json.loads(canonical)["id"]
    with closing(Ledger(Layout(data=data).ledger)) as book:
        spent = book.spent(dataset="chats", epoch="2026-11")
    assert (found[-1].charge.rho, found[-1].charge.delta) == spent
    assert {(event.dataset, event.epoch, event.actor) for event in found[1:]} == {("chats", "2026-11", "operator")}
    assert len({event.policy for event in found}) == 1
    report = report_on(Layout(data=data).audit)
    assert (report.good, report.signed, report.entries) == (True, 6, 6)


def test_no_word_of_a_conversation_and_no_user_is_in_the_log(data, corpus):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        opened.release()
    with closing(sqlite3.connect(Layout(data=data).audit / "log.db")) as db:
        held = b"\n".join(bytes(body) for (body,) in db.execute("select body from audit_entries"))
    for word in (b"sourdough", b"person-", b"question", b"800", b"400"):
        assert word not in held


def test_noise_that_fails_leaves_the_burned_charge_and_the_failure(data, corpus):
    with gateway(data, policy=policy(), noise=NoNoise) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        with pytest.raises(NoiseFailure):
            opened.release()
    assert told(data)[-3:] == [
        ("release", "allow", "ledger.reserved"),
        ("release", "allow", "ledger.burned"),
        ("release", "deny", "failed.noise"),
    ]
    with closing(Ledger(Layout(data=data).ledger)) as book:
        assert events(data)[-2].charge.rho == book.spent(dataset="chats", epoch="2026-11")[0]


def test_a_failed_ingest_and_a_refused_one_are_denials(data, tmp_path, corpus):
    (tmp_path / "empty.jsonl").write_text("")
    with gateway(data, policy=policy()) as opened:
        with pytest.raises(InputError):
            opened.ingest(str(tmp_path / "empty.jsonl"), advance=quiet)
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(partial=True, advance=quiet)
        opened.release()
        with pytest.raises(Refused):
            opened.ingest(str(corpus), advance=quiet)
    denials = [entry for entry in told(data) if entry[1] == "deny"]
    assert denials == [("ingest", "deny", "failed.input"), ("ingest", "deny", "refused")]


def test_an_epoch_that_shares_days_with_a_charged_one_is_a_denial(data, corpus):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        opened.release()
    with pytest.raises(Refused), gateway(data, policy=policy(("epoch: month", "epoch: day")), epoch="2026-11-03"):
        pass
    assert told(data)[-1] == ("denied", "deny", "refused")


def test_a_budget_that_is_spent_is_a_denial(data, corpus):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        opened.release()
    with gateway(data, policy=policy(("min_users: 10", "min_users: 11"))) as other, pytest.raises(BudgetExhausted):
        other.release()
    assert told(data)[-1] == ("release", "deny", "guarantee.budget")
    assert ("policy_change", "allow", "policy.superseded") in told(data)


def test_the_same_policy_again_is_no_change_and_another_is_one_with_both_digests(data):
    for change in (("", ""), ("", ""), ("min_users: 10", "min_users: 11")):
        with gateway(data, policy=policy(change)):
            pass
    changes = events(data)
    assert [event.rule for event in changes] == ["policy.in_force", "policy.superseded", "policy.in_force"]
    assert changes[0].policy == changes[1].policy != changes[2].policy


def test_a_change_further_back_than_the_recent_entries_is_found(data, monkeypatch):
    monkeypatch.setattr(recording, "RECENT", 2)
    with closing(AuditLog.open(Layout(data=data).audit)) as log:
        about = About(dataset="chats", policy="a" * 64)
        recorder = Recorder(log, about, now=lambda: NOW)
        assert recorder.policy_in_force()
        for _ in range(9):
            recorder.done("ingest", rule="input")
        assert recording.last_policy(log, dataset="chats") == "a" * 64
        assert recording.last_policy(log, dataset="other") is None
        assert not recorder.policy_in_force()


def test_a_log_that_cant_be_written_stops_the_release_before_any_noise_is_drawn(data, corpus, monkeypatch):
    with gateway(data, policy=policy(), noise=NoNoise) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)

        def full(_log, _event):
            raise StorageError("the audit log can't be used (disk full)")

        monkeypatch.setattr(AuditLog, "append", full)
        with pytest.raises(StorageError, match="disk full"):
            opened.release()
    with closing(Ledger(Layout(data=data).ledger)) as book:
        assert [entry.state for entry in book.entries()] == ["burned"]
    assert not Layout(data=data).releases.exists() or not list(Layout(data=data).releases.iterdir())


def test_a_log_that_was_cut_short_keeps_the_gateway_shut(data, corpus):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
    with closing(sqlite3.connect(Layout(data=data).audit / "log.db", isolation_level=None)) as db:
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        db.execute("delete from audit_entries where seq = 1")
    with pytest.raises(StorageError), gateway(data, policy=policy()):
        pass


def test_what_retention_destroys_is_in_the_log(data):
    with closing(AuditLog.open(Layout(data=data).audit)) as log:
        Recorder(log, About(policy="a" * 64), now=lambda: NOW).swept(
            [("chats", "2026-10.0123456789ab", "raw", "f" * 32)]
        )
    (event,) = events(data)
    assert event.receipt == "f" * 32
    assert (event.operation, event.rule, event.epoch, event.actor) == (
        "sweep",
        "retention.raw_ttl",
        "2026-10",
        "system",
    )


def test_a_use_case_without_anybody_to_sign_is_not_begun(data):
    with closing(AuditLog.open(Layout(data=data).audit)) as log:
        recorder = Recorder(log, About(), now=lambda: NOW)
        with pytest.raises(ValueError, match="sign"), recorder.use_case("ingest"):
            pytest.fail("it was begun")
