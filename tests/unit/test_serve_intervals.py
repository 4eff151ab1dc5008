"""Intervals from released numbers: the noise is read off them rightly, and they hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.model.release import Estimate
from sfumato.policy.figures import published
from sfumato.serve import intervals
from sfumato.serve.intervals import Interval

Z = 1.959964
DRAWS = 4000
CLEAR = 0.95 - 4 * (0.95 * 0.05 / DRAWS) ** 0.5  # four standard errors of the share of draws that hold the truth


def released(measured: float, sigma: float) -> Estimate:
    """A noisy number as the gate releases it: whole, and cut at zero."""
    value, low, high = published(measured, sigma)
    return Estimate(value=value, low=low, high=high)


@pytest.mark.parametrize("sigma", [0.6, 4.0, 13.0, 140.7])
@pytest.mark.parametrize("truth", [0.0, 3.2, 55.5, 4021.5])
def test_the_reach_is_never_less_than_that_of_the_noise_and_at_most_two_more(sigma, truth):
    for measured in truth + sigma * np.linspace(-3, 3, 61):
        assert Z * sigma <= intervals.reach(released(measured, sigma)) <= Z * sigma + 2.5


@pytest.mark.parametrize(
    ("a", "b", "sigma_a", "sigma_b"),
    [(0, 0, 13, 13), (3, 40, 13, 13), (500, 480, 13, 30), (60, 60, 1, 1), (5, 0, 0.5, 20)],
)
def test_a_difference_holds_the_truth_in_95_of_100_draws(a, b, sigma_a, sigma_b):
    """Cut at zero, rounded, and of unequal noise all the same."""
    drawn = np.random.default_rng(7)
    held = 0
    for _ in range(DRAWS):
        one, other = released(drawn.normal(a, sigma_a), sigma_a), released(drawn.normal(b, sigma_b), sigma_b)
        found = intervals.difference(one, other)
        held += found.low <= a - b <= found.high
    assert held / DRAWS >= CLEAR


@pytest.mark.parametrize("part", [0, 40, 300, 700])
def test_a_share_holds_the_truth_in_95_of_100_draws(part):
    drawn = np.random.default_rng(8)
    held = 0
    for _ in range(DRAWS):
        found = intervals.ratio(released(drawn.normal(part, 20), 20), released(drawn.normal(700, 13), 13))
        held += found.low <= part / 700 <= found.high
    assert held / DRAWS >= CLEAR


@pytest.mark.parametrize(("first", "second"), [(0.2, 0.2), (0.5, 0.1), (0.9, 0.02)])
def test_a_difference_of_shares_holds_the_truth_in_95_of_100_draws(first, second):
    """Of two epochs, and of one whole that both shares are of."""
    drawn = np.random.default_rng(9)
    apart, same = 0, 0
    for _ in range(DRAWS):
        n = [released(drawn.normal(share * 800, 12), 12) for share in (first, second)]
        wholes = [released(drawn.normal(800, 12), 12) for _ in n]
        for held, whole in ((0, wholes), (1, [wholes[0]] * 2)):
            shares = [intervals.ratio(one, of) for one, of in zip(n, whole, strict=True)]
            found = intervals.difference_of_ratios(*shares, opposed=False)
            inside = found.low <= first - second <= found.high
            apart, same = apart + (inside and not held), same + (inside and held)
    assert min(apart, same) / DRAWS >= CLEAR


def test_shares_that_vary_against_each_other_need_the_sum_of_their_reaches():
    """b/t - t/T, where t divides the one and makes the other: the wider interval holds, the narrower would not."""
    drawn = np.random.default_rng(10)
    wide, narrow = 0, 0
    for _ in range(DRAWS):
        part, topic, total = (released(drawn.normal(n, s), s) for n, s in ((190, 1), (200, 10), (400, 1)))
        shares = intervals.ratio(part, topic), intervals.ratio(topic, total)
        truth = 190 / 200 - 200 / 400
        for opposed in (True, False):
            found = intervals.difference_of_ratios(*shares, opposed=opposed)
            inside = found.low <= truth <= found.high
            wide, narrow = wide + (inside and opposed), narrow + (inside and not opposed)
    assert wide / DRAWS >= CLEAR > narrow / DRAWS


def test_an_interval_from_too_small_noise_would_be_caught():
    """The negative control: with 0.7 of the noise, the truth is held too seldom for the tests above."""
    drawn = np.random.default_rng(7)
    held = 0
    for _ in range(DRAWS):
        one, other = (released(drawn.normal(500, 30), 0.7 * 30) for _ in range(2))
        found = intervals.difference(one, other)
        held += found.low <= 0 <= found.high
    assert held / DRAWS < CLEAR


def test_a_share_of_what_is_not_clear_of_zero_has_no_interval():
    part, whole = Estimate(value=5, low=0, high=30), Estimate(value=20, low=0, high=45)
    assert intervals.ratio(part, whole) is None
    assert intervals.ratio(part, Estimate(value=0, low=0, high=0)) is None


def test_a_share_is_cut_to_zero_and_one():
    found = intervals.ratio(Estimate(value=110, low=90, high=130), Estimate(value=100, low=80, high=120))
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.6 < found.low < 1.0


def test_fiellers_interval_is_the_set_that_its_theorem_names():
    part, whole = Estimate(value=300, low=261, high=339), Estimate(value=700, low=675, high=725)
    found = intervals.ratio(part, whole)
    reach_n, reach_d = intervals.reach(part), intervals.reach(whole)
    for edge in (found.low, found.high):
        assert (300 - edge * 700) ** 2 == pytest.approx(reach_n**2 + edge**2 * reach_d**2)


def test_a_difference_of_shares_stays_between_minus_one_and_one():
    wide = Interval(value=0.9, low=0.1, high=1.0), Interval(value=0.05, low=0.0, high=0.9)
    found = intervals.difference_of_ratios(*wide, opposed=True)
    assert -1 <= found.low <= found.value <= found.high <= 1
