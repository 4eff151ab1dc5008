"""The one road from an exact statistic to a noisy one: it checks bounds, meters charges, records mechanisms."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sfumato.errors import BudgetExhausted
from sfumato.model.guarantee import NANO, Mechanism
from sfumato.privacy import mechanisms

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.privacy.noise import NoiseSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisy:
    """Noisy integers (any shape) and the scale of their noise, in the same unit."""

    values: NDArray[np.int64]
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Keys that passed partition selection, with noisy counts; `threshold` is what a noisy count had to reach."""

    counts: Mapping[int, int]
    sigma: float
    threshold: int


class Measurer:
    """Spends at most the (rho, delta) reserved for it, in nano units, and remembers every mechanism it ran.

    The sum of charges is a valid filter under fully adaptive choice (Whitehouse et al. 2023).
    """

    def __init__(self, noise: NoiseSource, *, rho: int, delta: int) -> None:
        self.noise = noise
        self.rho_left = rho
        self.delta_left = delta
        self.mechanisms: list[Mechanism] = []

    def counts(
        self, name: str, values: NDArray[np.int64], *, rho: int, l0: int, linf: int = 1, statistic: str
    ) -> Noisy:
        """Noisy histogram over known keys: one unit changes at most l0 of the values, each by at most linf."""
        return self._gaussian(
            name, values, rho=rho, l0=l0, linf=linf, l2=mechanisms.l2_of(l0=l0, linf=linf), statistic=statistic
        )

    def sums(self, name: str, values: NDArray[np.int64], *, rho: int, l2: int, statistic: str) -> Noisy:
        """Noisy fixed-point sums: one unit's whole contribution has Euclidean norm at most l2, in fixed-point steps."""
        return self._gaussian(name, values, rho=rho, l0=values.size, linf=float(l2), l2=float(l2), statistic=statistic)

    def select(
        self, name: str, counts: Mapping[int, int], *, rho: int, delta: int, l0: int, floor: int = 1, statistic: str
    ) -> Selected:
        """Partition selection over unknown keys; each unit counts once in at most l0 keys.

        Keys held by fewer than `floor` units are never released: `max(count - (floor - 1), 0)` changes by no more than
        the count does, so the mechanism runs on that and the difference is added back afterwards.
        """
        scale = mechanisms.gaussian_scale(rho=rho, l2=mechanisms.l2_of(l0=l0, linf=1))
        threshold = mechanisms.selection_threshold(scale=scale, delta=delta, l0=l0, linf=1)
        cost_rho, cost_delta = mechanisms.selection_cost(scale=scale, threshold=threshold, l0=l0, linf=1)
        self._charge(rho, delta, cost_rho, cost_delta)
        lowered = {key: count - (floor - 1) for key, count in counts.items() if count >= floor}
        found = self.noise.selection(lowered, scale, threshold)
        self.mechanisms.append(
            Mechanism(
                name=name, statistic=statistic, kind="discrete_gaussian_threshold", rho=rho, delta=delta, sigma=scale,
                threshold=threshold + floor - 1, l0=l0, linf=1, l2=mechanisms.l2_of(l0=l0, linf=1), values=None,
            )
        )  # fmt: skip
        return Selected(
            counts={key: count + floor - 1 for key, count in found.items()},
            sigma=scale,
            threshold=threshold + floor - 1,
        )

    def _gaussian(
        self, name: str, values: NDArray[np.int64], *, rho: int, l0: int, linf: float, l2: float, statistic: str
    ) -> Noisy:
        scale = mechanisms.gaussian_scale(rho=rho, l2=l2)
        self._charge(rho, 0, mechanisms.gaussian_rho(scale=scale, l2=l2), Fraction(0))
        noisy = self.noise.gaussian(values, scale)
        self.mechanisms.append(
            Mechanism(
                name=name, statistic=statistic, kind="discrete_gaussian", rho=rho, delta=0, sigma=scale, threshold=None,
                l0=l0, linf=linf, l2=l2, values=int(values.size),
            )
        )  # fmt: skip
        return Noisy(values=noisy, sigma=scale)

    def _charge(self, rho: int, delta: int, cost_rho: Fraction, cost_delta: Fraction) -> None:
        """Take the charge off what is left, before any noise is drawn.

        Raises:
            BudgetExhausted: the plan asks for more than was reserved.
            AssertionError: OpenDP's privacy map exceeds the charge (never silently under-charge).
        """
        if cost_rho > Fraction(rho, NANO) or cost_delta > Fraction(delta, NANO):
            raise AssertionError("a mechanism costs more than its charge")
        if rho > self.rho_left or delta > self.delta_left:
            raise BudgetExhausted("the measurements of this release would pass the charge reserved for it")
        self.rho_left -= rho
        self.delta_left -= delta
