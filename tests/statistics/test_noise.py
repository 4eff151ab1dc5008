"""The noise that OpenDP draws is the noise that is charged; each test is shown to fail when the scale is 30 % off."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from draws import FALSE_ALARM, looks_like
from sfumato.model.guarantee import NANO
from sfumato.privacy import mechanisms

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAWS = 40_000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return mechanisms.draw_gaussian(np.zeros(DRAWS, np.int64), 5.0)


def test_gaussian_noise_has_the_declared_scale(noise: np.ndarray) -> None:
    assert looks_like(noise, 5.0)


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_scale_30_percent_off_is_caught(noise: np.ndarray, factor: float) -> None:
    assert not looks_like(noise, 5.0 * factor)


def test_half_the_noise_is_caught() -> None:
    assert not looks_like(mechanisms.draw_gaussian(np.zeros(DRAWS, np.int64), 2.5), 5.0)


def test_values_of_one_vector_get_independent_noise(noise: np.ndarray) -> None:
    pairs = np.corrcoef(noise[0::2], noise[1::2])[0, 1]
    assert abs(pairs) < 5 / math.sqrt(DRAWS / 2)
    one_draw_for_all = np.repeat(noise[:1], DRAWS)
    assert not looks_like(one_draw_for_all, 5.0)


def singleton_rate(scale: float, threshold: int) -> float:
    released = mechanisms.draw_selection(dict.fromkeys(range(DRAWS), 1), scale, threshold)
    return len(released) / DRAWS


def upper_bound(probability: float) -> float:
    """Above this share of DRAWS only one run in a million comes by chance."""
    return float(stats.binom.isf(FALSE_ALARM, DRAWS, probability)) / DRAWS


def test_a_singleton_key_is_released_with_probability_at_most_delta() -> None:
    delta = Fraction(2, 1000)
    threshold = mechanisms.selection_threshold(scale=3.0, delta=int(delta * NANO), l0=1, linf=1)
    assert singleton_rate(3.0, threshold) <= upper_bound(float(delta))


def test_running_at_the_priced_threshold_would_be_caught() -> None:
    delta = Fraction(2, 1000)
    threshold = mechanisms.selection_threshold(scale=1.0, delta=int(delta * NANO), l0=1, linf=1)
    assert singleton_rate(1.0, threshold - 1) > upper_bound(float(delta))


@settings(max_examples=60, deadline=None)
@given(rho=st.integers(1_000, 5 * NANO), l0=st.integers(1, 500), linf=st.integers(1, 40))
def test_the_charge_covers_the_privacy_map_and_wastes_almost_nothing(rho: int, l0: int, linf: int) -> None:
    l2 = mechanisms.l2_of(l0=l0, linf=linf)
    cost = mechanisms.gaussian_rho(scale=mechanisms.gaussian_scale(rho=rho, l2=l2), l2=l2)
    assert Fraction(rho, NANO) * Fraction(999_999, 1_000_000) <= cost <= Fraction(rho, NANO)


@settings(max_examples=25, deadline=None)
@given(epsilon=st.fractions(Fraction(1, 10), Fraction(10)), delta=st.sampled_from([10**-8, 10**-7, 10**-6, 10**-5]))
def test_rho_for_is_the_largest_rho_within_epsilon_and_delta(epsilon: Fraction, delta: float) -> None:
    exact = Fraction(repr(delta))
    rho = mechanisms.rho_for(epsilon=epsilon, delta=exact)
    assert mechanisms.epsilon_of(rho=rho, delta=exact) <= epsilon
    assert mechanisms.epsilon_of(rho=rho + 2, delta=exact) > epsilon


def test_the_conversion_agrees_with_the_exact_gaussian_within_ten_percent() -> None:
    """Balle and Wang 2018, theorem 8: the exact delta of one Gaussian, which no conversion may undercut."""
    rho, delta = 250_000_000, Fraction(1, 10**6)
    mu = math.sqrt(2 * rho / NANO)
    claimed = mechanisms.epsilon_of(rho=rho, delta=delta)

    def true_delta(epsilon: float) -> float:
        return float(stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu))

    assert true_delta(claimed) <= float(delta)
    assert true_delta(claimed * 0.9) > float(delta)


def bad_calls() -> Iterator[tuple[str, object]]:
    zeros = np.zeros(3, np.int64)
    yield "scale 0", lambda: mechanisms.draw_gaussian(zeros, 0.0)
    yield "scale inf", lambda: mechanisms.draw_gaussian(zeros, math.inf)
    yield "scale nan", lambda: mechanisms.draw_gaussian(zeros, math.nan)
    yield "floats", lambda: mechanisms.draw_gaussian(np.zeros(3), 1.0)  # type: ignore[arg-type]
    yield "selection scale 0", lambda: mechanisms.draw_selection({1: 1}, 0.0, 5)
    yield "negative threshold", lambda: mechanisms.draw_selection({1: 1}, 1.0, -5)
    yield "a key nobody holds", lambda: mechanisms.draw_selection({1: 0}, 1.0, 5)
    yield "no charge", lambda: mechanisms.gaussian_scale(rho=0, l2=1.0)


@pytest.mark.parametrize(("name", "call"), list(bad_calls()), ids=[name for name, _ in bad_calls()])
def test_what_opendp_would_answer_without_noise_is_refused_before_it(name: str, call: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        call()  # type: ignore[operator]
