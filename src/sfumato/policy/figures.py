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
    """A facet: size of its domain, noise of its values overall and within a leaf topic."""

    name: str
    values: int
    overall: Noise
    leaf: Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One release under a policy, before any data is seen.

    epsilon, delta: what a release will state. selection_threshold: noisy users a phrase must reach; phrase_sigma: the
    noise on them; phrase_floor: fewer true users never appear. levels: users of a topic, leaf first.
    epochs_in_year: epochs a year has; epochs_paid: releases the yearly cap pays for. yearly_epsilon, yearly_delta: what
    the releases of one full year, as far as they are paid for, come to together.
    """

    epsilon: float
    delta: float
    rho: float
    selection_threshold: int
    phrase_sigma: float
    phrase_floor: int
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


def reaches(users: float, sigma: float, threshold: float) -> float:
    """Probability that a noisy count of this many users reaches a threshold (normal approximation)."""
    return 0.5 * math.erfc((threshold - 0.5 - users) / (sigma * math.sqrt(2)))
