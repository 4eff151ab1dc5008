"""What the privacy arithmetic says about a policy, as values: computed elsewhere (`sfumato.forecast`), read here.

The policy package is part of what serves answers, and that must not reach the code that measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Standard deviation, in users, of a number's noise.

    low: if hardly anybody touches more than one topic. high: if people use all that the bounds let them.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetNoise:
    """A facet: size of its domain, noise of its values overall and within a leaf topic.

    values: None where only the file of its taxonomy says it. leaf: None where it is not counted by topic.
    """

    name: str
    values: int | None
    overall: Noise
    leaf: Noise | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which phrases appear. threshold: noisy users that one must reach; sigma: their noise.

    floor: a phrase of fewer true users never appears.
    """

    threshold: int
    sigma: float
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One release under a policy, before any data is seen.

    epsilon, delta: what a release will state. selection: None where no phrase is selected by a measurement (guarded
    mode, a declared taxonomy). levels: users of a topic, leaf first.
    epochs_in_year: epochs a year has; epochs_paid: releases the yearly cap pays for. yearly_epsilon, yearly_delta: what
    the releases of one full year, as far as they are paid for, come to together.
    """

    epsilon: float
    delta: float
    rho: float
    selection: Selection | None
    levels: tuple[Noise, ...]
    facets: tuple[FacetNoise, ...]
    epochs_in_year: int
    epochs_paid: int
    yearly_epsilon: float
    yearly_delta: float


def interval(users: float, sigma: float) -> tuple[int, int]:
    """Where the published number of a topic with this many users falls in 95 of 100 releases, cut at zero."""
    reach = Z95 * sigma
    return max(round(users - reach), 0), max(round(users + reach), 0)


def published(measured: float, sigma: float) -> tuple[int, int, int]:
    """A noisy number as it is shown: the nearest whole one, and the ends of its 95 % interval, none below zero.

    What is counted is whole, so the ends are the least and the greatest whole number within the interval, and hold the
    truth as often as it does; rounded to the nearest, they would hold it more often. The number itself is within.
    """
    value, reach = max(measured, 0.0), Z95 * sigma
    low, high = max(math.ceil(measured - reach), 0), math.floor(value + reach)
    return round(value), min(low, round(value)), max(high, round(value))


def reaches(users: float, sigma: float, threshold: float) -> float:
    """Probability that a noisy count of this many users reaches a threshold (normal approximation)."""
    return 0.5 * math.erfc((threshold - 0.5 - users) / (sigma * math.sqrt(2)))
