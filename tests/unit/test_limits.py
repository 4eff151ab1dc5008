"""How often one may ask: strangers by address, holders of a key by key, and neither at the other's cost."""

from __future__ import annotations

import io

import pytest

from sfumato.serve import logs
from sfumato.serve.limits import Limits, Rates, Sliding, site
from sites import HERE, Site

FEW = Rates(principal=5, stranger=3, strangers=8)


def test_one_address_runs_out_and_another_does_not():
    limits = Limits(FEW)
    assert [limits.stranger("192.0.2.1") is None for _ in range(5)] == [True, True, True, False, False]
    assert limits.stranger("192.0.2.2") is None


def test_many_addresses_together_run_out_too():
    limits = Limits(FEW)
    allowed = [limits.stranger(f"192.0.2.{number}") is None for number in range(12)]
    assert allowed == [True] * 8 + [False] * 4


def test_excess_says_when_to_come_back_and_is_news_once_a_minute():
    limits = Limits(FEW)
    found = [limits.principal("a" * 16) for _ in range(8)]
    assert [one is None for one in found] == [True] * 5 + [False] * 3
    assert [one.first for one in found[5:]] == [True, False, False]
    assert all(1 <= one.wait <= 60 for one in found[5:])


def test_the_minute_before_counts_by_what_of_it_is_less_than_a_minute_ago():
    clock = [600.0]
    sliding = Sliding(10, now=lambda: clock[0])
    assert [sliding.hit("one") for _ in range(11)] == [None] * 10 + [60]
    clock[0] = 660.0  # all ten are still within a minute
    assert sliding.hit("one") == 60
    assert sliding.hit("two") is None
    clock[0] = 690.0  # half of them
    assert [sliding.hit("one") for _ in range(6)] == [None] * 5 + [30]
    clock[0] = 780.0  # a whole minute without any
    assert [sliding.hit("one") for _ in range(11)] == [None] * 10 + [60]
    assert not sliding._before


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "unknown"), ("", "unknown"), (None, "unknown"), ("' or 1", "unknown"),
    ],
)  # fmt: skip
def test_an_address_is_counted_with_those_that_one_holder_has(address, counted):
    assert site(address) == counted


@pytest.fixture
def served(tmp_path):
    return Site(tmp_path / "data")


def test_who_shows_no_key_too_often_gets_429_with_retry_after_and_one_entry_in_the_log(served):
    with served.client(rates=FEW) as client:
        answers = [client.get(HERE) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 7
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["content-type"] == "application/problem+json"
    rules = [event.rule for event in served.written("denied")]
    assert rules == ["credential.no_key"] * 3 + ["limits.stranger"]


def test_a_key_works_from_an_address_whose_strangers_ran_out(served):
    with served.client(rates=FEW) as client:
        for _ in range(10):
            client.get(HERE)
        assert client.get(HERE, headers=served.bearer("analyst")).status_code == 200


def test_a_key_that_asks_too_often_gets_429_and_another_key_goes_on(served):
    with served.client(rates=FEW) as client:
        answers = [client.get(HERE, headers=served.bearer("analyst")).status_code for _ in range(8)]
        other = client.get("/v1/policy", headers=served.bearer("admin")).status_code
    assert (answers, other) == ([200] * 5 + [429] * 3, 200)
    assert len(served.written("read")) == 6


def test_a_key_that_asks_too_often_for_a_held_page_is_one_entry_in_the_log(served):
    stream = io.StringIO()
    with served.client(rates=FEW) as client, logs.written(stream):
        answers = [client.get(HERE, headers=served.bearer("analyst")).status_code for _ in range(8)]
    assert '"held"' in stream.getvalue()
    assert answers == [200] * 5 + [429] * 3
    assert [event.rule for event in served.written("denied")] == ["limits.principal"]
