"""Arithmetic on released numbers: the noise behind a 95 % interval, and intervals of differences and ratios.

The noise of two different numbers is independent. Where counts of a tree were made to agree afterwards, the fit is by
least squares, so a difference of two of its numbers is no more uncertain than that of two numbers before it
(Gauss-Markov). A count that was cut at zero moved towards the truth, which is not below zero.

An interval is of the noise alone, and holds for one comparison: of twenty between equal numbers, about one excludes
zero. Topics are shown because their noisy counts are large, so the smallest of them are, on average, a little too high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfumato.model.release import Estimate

ROUNDING = 0.5  # a released number is a whole one: this far from the noisy value at most
INWARDS = 1.0  # and each of its ends is the next whole one within the interval of the noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def reach(estimate: Estimate) -> float:
    """1.96 standard deviations of the noise, rounded up by what rounding may hide: never too small.

    `low` may be cut at zero, `high` never is; where neither is, half of both together is known more exactly.
    """
    above = estimate.high - estimate.value + ROUNDING + INWARDS
    whole = (estimate.high - estimate.low) / 2 + INWARDS
    return min(above, whole) if estimate.low > 0 else above


def plain(estimate: Estimate) -> Interval:
    """A released number as it stands."""
    return Interval(value=float(estimate.value), low=float(estimate.low), high=float(estimate.high))


def difference(a: Estimate, b: Estimate) -> Interval:
    """How much a is over b, two numbers of independent Gaussian noise: variances add. Whole numbers, outwards."""
    apart, around = a.value - b.value, math.hypot(reach(a), reach(b))
    return Interval(value=float(apart), low=float(math.floor(apart - around)), high=float(math.ceil(apart + around)))


def ratio(part: Estimate, whole: Estimate) -> Interval | None:
    """Part over whole, both noisy and independent, cut to 0..1; None where the whole is not clear of zero.

    Fieller's theorem (Fieller 1954; no correlation): the t with (part - t whole)^2 <= r_part^2 + t^2 r_whole^2, where
    r is 1.96 standard deviations. They form an interval if and only if whole > r_whole.
    """
    found = _fieller(part, whole)
    if found is None:
        return None
    return Interval(value=_unit(found.value), low=_unit(found.low), high=_unit(found.high))


def change(now: Estimate, before: Estimate) -> Interval | None:
    """How much a number grew, as a part of what it was (0.1: by a tenth); Fieller's theorem as in `ratio`, not cut."""
    found = _fieller(now, before)
    return None if found is None else Interval(value=found.value - 1, low=found.low - 1, high=found.high - 1)


def _fieller(part: Estimate, whole: Estimate) -> Interval | None:
    n, r_n, d, r_d = float(part.value), reach(part), float(whole.value), reach(whole)
    below = d * d - r_d * r_d
    if d <= 0 or below <= 0:
        return None
    around = math.sqrt(max(0.0, n * n * d * d - below * (n * n - r_n * r_n)))
    return Interval(value=n / d, low=(n * d - around) / below, high=(n * d + around) / below)


def difference_of_ratios(a: Interval, b: Interval, *, opposed: bool) -> Interval:
    """How much a is over b, from the intervals of both: MOVER (Zou and Donner 2008, eq. 3; Newcombe 1998, method 10).

    Two shares of the same whole vary together, which makes this too wide, never too narrow. opposed: what one divides
    by is what the other counts, so that they vary against each other; then the reaches add up as they are.
    """
    add = _sum if opposed else math.hypot
    value = a.value - b.value
    return Interval(
        value=value,
        low=max(-1.0, value - add(a.value - a.low, b.high - b.value)),
        high=min(1.0, value + add(a.high - a.value, b.value - b.low)),
    )


def _sum(one: float, other: float) -> float:
    return one + other


def _unit(share: float) -> float:
    return min(1.0, max(0.0, share))
