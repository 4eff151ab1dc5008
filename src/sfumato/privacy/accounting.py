"""From the (epsilon, delta) a policy states to the integers the ledger counts, and back to what a release states.

Of delta, one half pays for partition selection and the other for the conversion from zCDP; rho is derived once for each
budget, rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from sfumato.model.guarantee import NANO
from sfumato.privacy import mechanisms

SELECTION_SHARE_OF_DELTA = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an (epsilon, delta) allows: rho and the delta of partition selection in nano units, and the conversion's."""

    rho: int
    selection_delta: int
    conversion_delta: Fraction


@cache
def allowance(epsilon: Fraction, delta: Fraction) -> Allowance:
    """Largest rho such that rho-zCDP plus the selection's delta implies (epsilon, delta)-DP.

    Raises:
        ValueError: delta leaves not one nano unit for selection, or no rho fits.
    """
    selection = int(delta * NANO * SELECTION_SHARE_OF_DELTA)
    if selection < 1:
        raise ValueError("delta is too small to share between partition selection and conversion")
    conversion = delta - Fraction(selection, NANO)
    return Allowance(
        rho=mechanisms.rho_for(epsilon=epsilon, delta=conversion),
        selection_delta=selection,
        conversion_delta=conversion,
    )


def stated(*, rho: int, selection_delta: int, conversion_delta: Fraction) -> tuple[float, float]:
    """The (epsilon, delta) of measurements that cost this much together."""
    delta = conversion_delta + Fraction(selection_delta, NANO)
    return mechanisms.epsilon_of(rho=rho, delta=conversion_delta), float(delta)
