"""The example that reads growth and dispersion from released numbers: its intervals, and what it refuses to compare."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest

from releases import guarantee, mechanism, topic
from sfumato.errors import InputError
from sfumato.model.release import Estimate, Release

PLACE = Path(__file__).parents[2] / "examples" / "signals.py"
Z95 = 1.959964


@pytest.fixture(scope="module")
def signals():
    spec = importlib.util.spec_from_file_location("signals", PLACE)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["signals"] = loaded
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules["signals"]


def noisy(value: int, sigma: float) -> Estimate:
    reach = round(Z95 * sigma)
    return Estimate(value=value, low=max(value - reach, 0), high=value + reach)


def release(*topics, users: int = 5_000, declared: bool = False, **changes: object) -> Release:
    name = "depth 1 users" if declared else "leaf users"
    made = Release(
        id="rel_0", dataset="chats", epoch="2026-W41", created="2026-10-12T00:00:00Z", policy_name="p",
        policy_digest="0" * 64, guarantee=guarantee(mechanisms=(mechanism(name, 12_800_000),)),
        users=noisy(users, 10), conversations=noisy(2 * users, 30), facets={}, topics=topics, audit=(),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def test_growth_has_the_interval_of_a_difference_made_wider_for_how_many_are_looked_at(signals):
    before = release(topic(1, None, 0, "Bread", 0, users=noisy(300, 30)))
    after = release(topic(1, None, 0, "Bread", 0, users=noisy(420, 40)))
    found = {one.name: one for one in signals.growth(before, after)}["Bread (level 0)"]
    assert found.value == 120
    assert found.high - found.value == pytest.approx(2.2414 * 50, rel=0.02)  # two numbers are looked at: 97.5 % each
    assert found.stands_out
    less = release(topic(1, None, 0, "Bread", 0, users=noisy(400, 40)))
    assert not {one.name: one for one in signals.growth(before, less)}["Bread (level 0)"].stands_out


def test_an_interval_that_was_cut_at_zero_is_made_whole_again(signals):
    assert signals.sigma(noisy(20, 30)) == pytest.approx(30, rel=0.02)


def test_discovered_topics_are_known_by_name_because_their_ids_are_numbered_anew(signals):
    before, after = release(topic(1, None, 0, "Bread", 300)), release(topic(1, None, 0, "Tax", 600))
    assert [one.name for one in signals.growth(before, after)] == ["all"]


def test_declared_topics_are_known_by_their_id(signals):
    before = release(topic(1, None, 0, "Bread", 300), topic(2, None, 0, "Bread", 300), declared=True)
    after = release(topic(1, None, 0, "Bread", 300), topic(2, None, 0, "Bread", 600), declared=True)
    assert {one.name: one.value for one in signals.growth(before, after)} == {
        "all": 0, "Bread [t001]": 0, "Bread [t002]": 300,
    }  # fmt: skip


def test_two_discovered_topics_of_one_name_are_not_compared(signals):
    twins = release(topic(1, None, 0, "Bread", 300), topic(2, None, 0, "Bread", 400))
    assert [one.name for one in signals.growth(twins, twins)] == ["all"]


@pytest.mark.parametrize("change", [{"policy_digest": "1" * 64}, {"dataset": "others"}], ids=["policy", "dataset"])
def test_releases_that_do_not_measure_alike_are_refused(signals, change):
    with pytest.raises(InputError, match="one dataset under one policy"):
        signals.growth(release(), release(**change))


def test_dispersion_holds_for_both_numbers_at_once_and_is_never_under_one(signals):
    busy = topic(1, None, 0, "Busy", 0, users=noisy(300, 10), conversations=noisy(1_800, 30))
    once = topic(2, None, 0, "Once", 0, users=noisy(300, 10), conversations=noisy(290, 30))
    few = topic(3, None, 0, "Few", 0, users=noisy(20, 30), conversations=noisy(60, 30))
    found = {one.name: one for one in signals.dispersion(release(busy, once, few))}
    assert [name for name, one in found.items() if one.stands_out] == ["Busy"]
    reach = signals.wider(8)
    assert found["Busy"].low == pytest.approx((1_800 - reach * 30) / (300 + reach * 10), rel=0.02)
    assert (found["Once"].value, found["Once"].low) == (1.0, 1.0)
    assert found["Few"].high == float("inf")


def test_bounds_that_differ_between_two_epochs_are_noticed(signals):
    wide = guarantee(mechanisms=(mechanism("leaf users", 12_800_000, l0=3),))
    assert signals.bounded_alike(release(), release())
    assert not signals.bounded_alike(release(), release(guarantee=wide))
