"""Whether draws have the shape that they are charged for; each verdict is wrong once in a million times."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6


def looks_like(noise: np.ndarray, scale: float) -> bool:
    """Chi-square of the draws against the discrete Gaussian of this scale, at one false alarm in a million."""
    reach = math.ceil(4 * scale)
    support = np.arange(-reach, reach + 1)
    weight = np.exp(-(support.astype(float) ** 2) / (2 * scale**2))
    expected = weight / weight.sum() * len(noise)
    observed = np.array([(noise == value).sum() for value in support], dtype=float)
    merged = expected >= 5
    observed = np.append(observed[merged], len(noise) - observed[merged].sum())
    expected = np.append(expected[merged], len(noise) - expected[merged].sum())
    return bool(stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > FALSE_ALARM)


def as_wide_as(noise: np.ndarray, scale: float) -> bool:
    """The variance of the draws against the scale's, for scales too large to count single values."""
    squares = float((noise.astype(float) ** 2).sum()) / scale**2
    return min(stats.chi2.cdf(squares, len(noise)), stats.chi2.sf(squares, len(noise))) > FALSE_ALARM / 2


def unlike(one: np.ndarray, other: np.ndarray) -> bool:
    """That the draws of one do not go with those of the other."""
    if not (one.any() and other.any()):
        return False
    return bool(stats.pearsonr(one, other).pvalue > FALSE_ALARM)


def singletons_allowed(keys: int, delta: float) -> int:
    """How many of so many keys of one user each may come out."""
    return int(stats.binom.isf(FALSE_ALARM, keys, delta))
