"""The parts of topic discovery that touch released numbers only, and the bounds of a plan."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer, Noisy
from sfumato.topics import consistency, counts, denoise, grid, hierarchy, layout, naming
from sfumato.topics.plan import TopicPlan
from sfumato.topics.refine import Cells


class Still:
    """No noise at all. Never for a release."""

    def gaussian(self, values, _scale):
        return values


def one_each(users):
    """Users of one conversation each."""
    return BoundedEpoch(
        units=users,
        unit_of=np.arange(users, dtype=np.int32),
        vectors=np.zeros((users, 4), np.float16),
        phrase_offsets=np.zeros(users + 1, np.int64),
        phrase_ids=np.zeros(0, np.int32),
        phrases=(),
        facets={},
    )


@pytest.mark.parametrize("facets", [(), ("language",), ("language", "week", "surface")])
@pytest.mark.parametrize("cap", [1, 20])
def test_a_plan_charges_no_more_than_it_has(facets, cap):
    plan = TopicPlan(rho=12_345_678, delta=1_000, conversations_per_user=cap)
    charges = plan.charges(facets)
    assert sum(charges.values()) <= plan.rho
    assert all(isinstance(charge, int) and charge > 0 for charge in charges.values())


@pytest.mark.parametrize("bad", [{"rho": 0}, {"delta": 0}, {"phrases_per_user": 0}, {"leaves": 0}])
def test_a_plan_that_bounds_nothing_is_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        TopicPlan(**({"rho": 10**6, "delta": 10} | bad))


def test_a_budget_too_small_to_split_is_refused():
    with pytest.raises(ValueError, match="too small"):
        TopicPlan(rho=5, delta=1).charges(())


def test_least_squares_makes_children_add_up_and_lowers_the_error():
    draw = np.random.default_rng(0)
    truth = draw.integers(20, 400, 60).astype(float)
    parents = [np.arange(60) // 6, np.arange(10) // 5]
    levels = [truth, np.bincount(parents[0], truth), np.bincount(parents[1], np.bincount(parents[0], truth))]
    before = after = 0.0
    for _ in range(200):
        noisy = [level + draw.normal(0, sigma, level.shape) for level, sigma in zip(levels, (20, 10, 5), strict=True)]
        fitted, sigmas = consistency.added_up(noisy, (20, 10, 5), parents)
        assert np.bincount(parents[0], fitted[0]) == pytest.approx(fitted[1])
        assert np.bincount(parents[1], fitted[1]) == pytest.approx(fitted[2])
        before += sum(((a - b) ** 2).sum() for a, b in zip(noisy, levels, strict=True))
        after += sum(((a - b) ** 2).sum() for a, b in zip(fitted, levels, strict=True))
    assert after < 0.95 * before
    assert (sigmas[2] < 5).all()


def test_intervals_after_the_fit_hold_and_so_do_those_of_differences_of_topics_under_one_parent():
    """A 95 % interval of one number holds somewhat more often: a tighter one would break those of differences."""
    draw = np.random.default_rng(3)
    truth = draw.integers(100, 400, 60).astype(float)
    parents = [np.arange(60) // 2, np.arange(30) // 6]
    levels = [truth, np.bincount(parents[0], truth), np.bincount(parents[1], np.bincount(parents[0], truth))]
    sigmas = (10.0, 25.0, 25.0)
    fits = [
        consistency.added_up([one + draw.normal(0, sigma, one.shape) for one, sigma in pairs], sigmas, parents)
        for pairs in [list(zip(levels, sigmas, strict=True))] * 500
    ]

    def held(errors, deviation):
        return (np.abs(errors) <= 1.96 * deviation).mean()

    errors = [np.array([fitted[level] for fitted, _ in fits]) - true for level, true in enumerate(levels)]
    stated = fits[0][1]
    assert all(0.94 <= held(off, deviation) <= 0.975 for off, deviation in zip(errors, stated, strict=True))
    for off, deviation in zip(errors[:2], stated[:2], strict=True):
        apart = off[:, 0::2] - off[:, 1::2]  # two under one parent
        assert held(apart, np.hypot(deviation[0::2], deviation[1::2])) >= 0.945
        assert held(apart, np.sqrt(2) * off.std()) < 0.945  # exact deviations would not do


def test_distinct_users_of_a_parent_lie_between_its_largest_child_and_their_sum():
    levels = [np.array([50.0, 10.0, 5.0, 7.0]), np.array([30.0, 40.0])]
    fitted, _ = consistency.enclosed(levels, (3.0, 2.0), [np.array([0, 0, 1, 1])])
    for parent, children in ((0, [0, 1]), (1, [2, 3])):
        assert fitted[0][children].max() - 1e-9 <= fitted[1][parent] <= fitted[0][children].sum() + 1e-9


def test_consistent_distinct_users_are_left_as_they_are():
    levels = [np.array([50.0, 40.0]), np.array([70.0])]
    fitted, _ = consistency.enclosed(levels, (3.0, 2.0), [np.array([0, 0])])
    assert [part.tolist() for part in fitted] == [[50.0, 40.0], [70.0]]


def test_the_grid_answers_zero_for_rows_that_are_not_unit_vectors():
    rows = np.array([[np.inf, 0, 0], [np.nan, 0, 0], [60_000, 60_000, 0], [1, 0, 0]], np.float32)
    assert grid.quantise(rows).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [grid.STEP, 0, 0]]


def test_pure_noise_moves_places_little_and_a_clear_signal_moves_them_far():
    draw = np.random.default_rng(1)
    places = grid.unit_rows(draw.normal(size=(80, 16)))
    noise = draw.normal(0, 30, (80, 16))
    shift = draw.normal(0, 0.2, (80, 16))

    def cells(sums, sigma):
        return Cells(weights=np.full(80, 100.0), sums=sums, weight_sigma=1.0, sum_sigma=sigma)

    idle = denoise.shifts(places, cells(noise, 30.0))
    told = denoise.shifts(places, cells(100 * shift + noise / 100, 0.3))
    assert np.linalg.norm(idle) < 0.5 * np.linalg.norm(noise / 100)
    assert np.linalg.norm(told - shift) < 0.1 * np.linalg.norm(shift)


@pytest.mark.parametrize(("leaves", "levels"), [(1, 0), (7, 0), (8, 1), (30, 1), (31, 2), (200, 2)])
def test_levels_grow_with_the_number_of_leaves_and_nest(leaves, levels):
    points = np.random.default_rng(2).normal(size=(leaves, 8))
    groups = hierarchy.groupings(points)
    assert len(groups) == levels
    if levels == 2:
        assert all(len(np.unique(groups[1][groups[0] == g])) == 1 for g in np.unique(groups[0]))


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_the_map_is_finite_bounded_and_the_same_twice(size):
    points = np.random.default_rng(3).normal(size=(size, 8)).astype(np.float32)
    first = layout.positions(points)
    assert first.shape == (size, 2)
    assert np.isfinite(first).all()
    assert np.abs(first).max() <= 1
    assert (first == layout.positions(points)).all()


def test_names_stay_distinct_when_topics_share_their_best_phrases():
    made = naming.labels(np.tile([3.0, 2.0, 1.0], (5, 1)), ("card", "cards", "limit"))
    assert len({label.name for label in made}) == 5
    assert made[0].name == "card · limit"


def test_a_topic_without_phrases_is_still_named_and_described():
    made = naming.labels(np.zeros((2, 0)), ())
    assert [label.name for label in made] == ["unnamed", "unnamed (2)"]
    assert "no released phrase" in made[0].description


def reach(bins, *, sigma=1.0, most=20):
    return counts.reach_of(Noisy(values=np.array(bins), sigma=sigma), share=0.9, most=most)


def test_reach_follows_the_noisy_bins_and_survives_negative_ones():
    assert reach([1000, 3, -2, 0, 1, 0]) == 1
    assert reach([10, 10, 100, 200, 50, 0]) == 12
    assert reach([-3, -1, -2, 0, -1, 0]) == 1
    assert reach([0, 0, 0, 0, 0, 9]) == 20
    assert reach([5, 200], most=2) == 2
    assert reach([7], most=1) == 1


def test_reach_does_not_follow_bins_that_hold_noise_alone():
    """500 units of one conversation each, noise of 60 in every bin: a bound of 20 would make counts 20 times as noisy.

    Noise alone passes 10 % of the units and one deviation of the upper bins' sum in 9 of 100.
    """
    draw = np.random.default_rng(3)

    def share_at(true, wanted):
        noisy = np.rint(np.array(true) + draw.normal(0, 60, (400, 6)))
        return np.mean([reach(bins, sigma=60.0) == wanted for bins in noisy])

    assert share_at([500, 0, 0, 0, 0, 0], 1) > 0.8
    assert share_at([0, 0, 0, 500, 0, 0], 7) > 0.8


def test_activity_has_no_bin_that_no_unit_can_stand_in():
    epoch = one_each(40)
    seen = counts.activity(epoch, Measurer(Still(), rho=10**9, delta=1), rho=10**6, cap=1)
    assert seen.values.tolist() == [40]
    assert counts.activity(epoch, Measurer(Still(), rho=10**9, delta=1), rho=10**6, cap=4).values.tolist() == [40, 0, 0]


def test_users_have_one_conversation_at_least():
    talks = consistency.no_fewer(np.array([-300.0, 250.0, 90.0]), 100.0, np.array([200.0, 200.0, 90.0]), 10.0)
    assert 190 < talks[0] < 200
    assert talks[1:].tolist() == [250.0, 90.0]


def _left_after(rounds: int) -> float:
    """How far cells that stand apart are from where they belong, of how far they were, by steps without noise."""
    draw = np.random.default_rng(4)
    truth, places = draw.normal(size=(40, 12)), draw.normal(size=(40, 12))
    start = np.linalg.norm(truth - places)
    for _ in range(rounds):
        cells = Cells(weights=np.full(40, 100.0), sums=100 * (truth - places), weight_sigma=1.0, sum_sigma=1e-6)
        places = places + denoise.shifts(places, cells, stride=1.3, over=0.8)
    return float(np.linalg.norm(truth - places) / start)


def test_longer_steps_still_settle_where_cells_stand_apart(monkeypatch):
    assert _left_after(12) < 0.01
    monkeypatch.setattr(denoise, "LONGEST", 2.5)
    assert _left_after(12) > 0.5
