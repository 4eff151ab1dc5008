"""Ingest's benchmarks: memory does not grow with the log; ratios are of the same bytes. Speed itself is not tested."""

from __future__ import annotations

from sfumato.evaluate.bench import ingest, sealing

LIMIT_MB = 300  # for a million, which `sfumato bench` measures
GROWTH_MB = 15


def test_memory_does_not_grow_with_the_number_of_conversations():
    """Four times as many, which fill several segments, take no more."""
    small, large = ingest.measure(records=10_000), ingest.measure(records=40_000)
    assert large["records"] == 40_000
    assert large["peak_mb"] < min(LIMIT_MB, small["peak_mb"] + GROWTH_MB)


def test_sealing_and_opening_are_put_beside_bare_aes_gcm(monkeypatch):
    monkeypatch.setattr(sealing, "ROUNDS", 5)
    found = sealing.measure()
    for name in ("seal", "open"):
        one = found[name]
        assert one["per_second"] > 0
        assert one["of_bare_one_key"] > 0
        assert one["of_bare"] > 0
