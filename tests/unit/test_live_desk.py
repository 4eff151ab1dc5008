"""The desk where questions are decided: what the policy denies is not measured and not charged, and all is recorded."""

from __future__ import annotations

import json

import pytest

from live_queries import ANALYST, asking, desk, extracts, policy, publish, terms_of
from sfumato.audit.log import AuditLog
from sfumato.errors import StorageError
from sfumato.live import measure
from sfumato.model.layout import Layout
from sfumato.policy import decide
from sfumato.policy.decide import Decision
from sfumato.privacy.ledger import Ledger

POLICY = policy()
BATCH = extracts(60, 2)


@pytest.fixture
def data(tmp_path):
    publish(tmp_path, POLICY, BATCH)
    return tmp_path


def deny(monkeypatch, name):
    monkeypatch.setattr(decide, name, lambda *_, **__: Decision(allowed=False, rule="test", reason="denied"))


def events(data):
    log = AuditLog.read_only(Layout(data=data).audit)
    found = [event for _, event in log.events()]
    log.close()
    return found


def test_a_question_that_the_policy_denies_is_neither_measured_nor_charged(data, monkeypatch):
    deny(monkeypatch, "query")
    monkeypatch.setattr(measure, "measured", None)
    with desk(data, POLICY) as (opened, ledger):
        said = opened.reply(asking(), analyst=ANALYST, role="analyst")
        assert [one["outcome"] for one in json.loads(said.body)["answers"]] == ["withheld"]
        assert [one.purpose for one in ledger.entries()] == ["release"]
    assert [(one.operation, one.decision, one.rule) for one in events(data)] == [("query", "deny", "test")]


def test_a_cell_that_the_policy_denies_has_no_number(data, monkeypatch):
    deny(monkeypatch, "release_cell")
    with desk(data, POLICY) as (opened, _):
        said = opened.reply(asking(by=("plan",)), analyst=ANALYST, role="analyst")
    assert [one["numbers"] for one in json.loads(said.body)["answers"][0]["cells"]] == [None] * 4


def test_extracts_that_may_not_be_kept_are_not_read(data, monkeypatch):
    deny(monkeypatch, "keep")
    monkeypatch.setattr(measure, "measured", None)
    with desk(data, POLICY) as (opened, ledger):
        said = opened.reply(asking(), analyst=ANALYST, role="analyst")
        assert json.loads(said.body)["answers"][0]["outcome"] == "withheld"
        assert [one.purpose for one in ledger.entries()] == ["release"]


@pytest.mark.parametrize("role", ["auditor", "ingester", "admin"])
def test_a_role_that_may_not_ask_is_answered_nothing_whatever_the_server_let_through(data, role):
    with desk(data, POLICY) as (opened, ledger):
        said = opened.reply(asking(), analyst=ANALYST, role=role)
        assert json.loads(said.body)["answers"][0]["outcome"] == "withheld"
        assert [one.purpose for one in ledger.entries()] == ["release"]


def test_what_became_of_each_question_is_recorded_by_declared_names_alone(data):
    with desk(data, POLICY) as (opened, _):
        for ask in (
            asking(by=("plan",), dry_run=True),
            asking(by=("plan",), where={"topic": ["leaf-001"]}),
            asking(by=("plan",), where={"topic": ["leaf-001"]}),
            asking(where={"plan": ["canary7391"]}),
        ):
            opened.reply(ask, analyst=ANALYST, role="analyst")
    found = events(data)
    assert [(one.operation, one.decision, one.rule) for one in found] == [
        ("quote", "allow", "queries.group_by"),
        ("query", "allow", "ledger.reserved"),
        ("query", "allow", "ledger.released"),
        ("query", "allow", "ledger.stored"),
        ("query", "deny", "unknown"),
    ]
    assert [one.charge is not None for one in found] == [False, False, True, False, False]
    assert found[2].charge.rho == terms_of(POLICY).rho
    assert (found[2].shape.by, found[2].shape.where, found[2].shape.topics) == (("plan",), ("topic",), ("leaf-001",))
    assert "canary7391" not in repr(found)


def test_where_nothing_can_be_recorded_nothing_is_drawn(data, monkeypatch):
    def full(_event):
        raise StorageError("the disk is full")

    monkeypatch.setattr(measure, "measured", None)
    with desk(data, POLICY) as (opened, ledger):
        opened._log = full
        with pytest.raises(StorageError):
            opened.reply(asking(), analyst=ANALYST, role="analyst")
        assert [one.state for one in ledger.entries() if one.purpose == "queries"] == ["burned"]


def test_the_ledger_keeps_each_analysts_share_and_who_asked(tmp_path):
    """A cap of one's own binds that one alone; the row names the key, and its hash covers the name."""
    terms = terms_of(POLICY)
    ledger = Ledger(tmp_path / "ledger.db")
    granted = terms.analyst_rho // terms.rho
    for number in range(granted):
        charge = terms.charge(f"{number:064x}", analyst=ANALYST, created="2026-11-21T00:00:00Z")
        ledger.released(ledger.reserve(charge, terms.caps), "{}")
    with pytest.raises(Exception, match="analyst's share"):
        ledger.reserve(terms.charge("f" * 64, analyst=ANALYST, created="2026-11-21T00:00:00Z"), terms.caps)
    other = terms.charge("f" * 64, analyst="b" * 16, created="2026-11-21T00:00:00Z")
    ledger.released(ledger.reserve(other, terms.caps), "{}")
    assert [one.analyst for one in ledger.entries()] == [ANALYST] * granted + ["b" * 16]
    ledger.close()
    _retold(tmp_path / "ledger.db")
    with pytest.raises(StorageError, match=f"row {granted + 1} of the ledger was changed"):
        Ledger(tmp_path / "ledger.db")


def _retold(path):
    """Say of the last row that somebody else had asked, behind the guard's back."""
    import sqlite3

    with sqlite3.connect(path) as db:
        with pytest.raises(sqlite3.IntegrityError, match="nothing else of it ever changes"):
            db.execute("UPDATE charges SET analyst = 'nobody' WHERE seq = (SELECT max(seq) FROM charges)")
        db.execute("DROP TRIGGER charges_settle_once")
        db.execute("UPDATE charges SET analyst = 'nobody' WHERE seq = (SELECT max(seq) FROM charges)")
    db.close()
