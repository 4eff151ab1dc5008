"""From an attack's errors to a lower bound on epsilon: what a mechanism with so good an attack must at least cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.model.strict_json import JsonObject

CONFIDENCE = 0.95
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Of a test that says `in` above a threshold fixed beforehand: false alarms among `out`, misses among `within`."""

    alarms: int
    out: int
    misses: int
    within: int

    @classmethod
    def of(cls, out: NDArray[np.float64], within: NDArray[np.float64], threshold: float) -> Errors:
        """Counted on scores of runs without and with the target."""
        return cls(
            alarms=int((out > threshold).sum()),
            out=len(out),
            misses=int((within <= threshold).sum()),
            within=len(within),
        )

    @property
    def right(self) -> int:
        """Runs that were told right."""
        return self.out - self.alarms + self.within - self.misses

    @property
    def runs(self) -> int:
        """All runs."""
        return self.out + self.within


def bounds(errors: Errors, *, delta: float, tests: int = 1, doubt: float = 1 - CONFIDENCE) -> JsonObject:
    """Lower bounds on epsilon at this delta, each wrong with chance `doubt` at most, which `tests` tests share.

    epsilon_lower supposes that the trade-off of errors is a Gaussian's: mu from both error rates, at their
    Clopper-Pearson limits (Nasr et al. 2023, "Tight Auditing of Differentially Private Machine Learning", section 4),
    then delta(epsilon, mu) of Dong, Roth and Su 2022, corollary 2.13. epsilon_lower_any supposes nothing, and is weak.
    """
    each = doubt / tests / 2
    alarms = clopper_pearson_upper(errors.alarms, errors.out, each)
    misses = clopper_pearson_upper(errors.misses, errors.within, each)
    mu = max(0.0, -_quantile(alarms) - _quantile(misses))
    found = 1 - misses
    plain = math.log((found - delta) / alarms) if found > delta + alarms else 0.0
    return {
        "epsilon_lower": round(epsilon_of(mu, delta), 4),
        "epsilon_lower_any": round(max(plain, 0.0), 4),
        "mu_lower": round(mu, 4),
    }


def clopper_pearson_upper(hits: int, trials: int, doubt: float) -> float:
    """Largest share that leaves at least `doubt` of a chance to so few hits (Clopper and Pearson 1934)."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(hits, trials, middle) > doubt else (low, middle)
    return high


def epsilon_of(mu: float, delta: float) -> float:
    """Smallest epsilon at which a Gaussian of shift mu standard deviations is (epsilon, delta)-DP."""
    if mu <= 0:
        return 0.0
    low, high = 0.0, 1.0
    while gaussian_delta(high, mu) > delta:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, mu) > delta else (low, middle)
    return high if low > 0 else 0.0


def gaussian_delta(epsilon: float, mu: float) -> float:
    """Delta of a Gaussian of shift mu standard deviations at epsilon (Balle and Wang 2018, theorem 8)."""
    left = _NORMAL.cdf(-epsilon / mu + mu / 2)
    right = _NORMAL.cdf(-epsilon / mu - mu / 2)
    return left - math.exp(epsilon + math.log(right)) if right > 0 else left


def best_accuracy(epsilon: float, delta: float) -> float:
    """Largest share of right answers to "in or out?", half of the runs each, that (epsilon, delta)-DP allows.

    Kairouz, Oh and Viswanath 2015, theorem 2.1: false alarms plus misses are at least 2 (1 - delta) / (1 + e^epsilon).
    """
    return 1 - (1 - delta) / (1 + math.exp(epsilon))


def _at_most(hits: int, trials: int, share: float) -> float:
    """Probability of at most so many hits."""
    log = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + k * math.log(share) + (trials - k) * math.log1p(-share)
        for k in range(hits + 1)
    ] if 0 < share < 1 else []  # fmt: skip
    return float(share == 0) if not log else sum(math.exp(one) for one in log)


def _quantile(share: float) -> float:
    return math.inf if share >= 1 else _NORMAL.inv_cdf(share)
