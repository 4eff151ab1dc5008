"""The gate's benchmarks run and measure what they say; their sizes are cut down here, so their figures mean nothing."""

from __future__ import annotations

from sfumato.evaluate.bench import ledger, live, serving, whole
from sfumato.privacy.ledger import Ledger
from sfumato.serve.api_keys import ApiKeys


def test_a_live_question_is_measured_beyond_its_beat(monkeypatch):
    monkeypatch.setattr(live, "ROWS", 8000)
    monkeypatch.setattr(live, "ASKED", 3)
    found = live.measure()
    assert found["cpu_ms"] > 0
    assert 0 < found["worked_ms"] < 60_000
    assert found["beyond_ms"] >= 0


def test_a_read_is_measured_against_a_bare_route_of_the_same_bytes(monkeypatch, tmp_path):
    monkeypatch.setattr(serving, "READS", 10)
    monkeypatch.setattr(serving, "ROUNDS", 2)
    release = serving._published(tmp_path)
    keys = ApiKeys.open(tmp_path)
    token = keys.issue("analyst")
    keys.close()
    assert serving._ratio(tmp_path, f"/v1/releases/{release}/topics", token) > 0


def test_charges_are_counted_as_the_ledger_has_them(monkeypatch, tmp_path):
    monkeypatch.setattr(ledger, "PROCESSES", 2)
    assert ledger.rate(tmp_path / "ledger.db") > 0
    book = Ledger(tmp_path / "ledger.db")
    assert sum(one.state == "released" for one in book.entries()) == 2 * ledger.EACH
    book.close()


def test_every_subject_of_the_gate_has_a_name_for_the_command_line():
    assert set(whole.GATE) == {"serving", "live", "ledger"}
