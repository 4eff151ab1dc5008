"""PUBLIC. The guarantee that travels with every number: unit, neighbours, (epsilon, delta), bounds, mechanisms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

NANO = 10**9
Unit = Literal["user", "conversation"]
Mode = Literal["formal", "guarded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One noisy measurement as it was run.

    rho, delta: its charge in nano units. sigma: scale of the discrete Gaussian, in users (vectors: fixed-point steps).
    threshold: the value a noisy count had to reach to be released (partition selection only).
    l0, linf, l2: how much one unit can change: keys touched, change in one key, Euclidean change overall.
    """

    name: str
    statistic: str
    kind: Literal["discrete_gaussian", "discrete_gaussian_threshold"]
    rho: int
    delta: int
    sigma: float
    threshold: int | None
    l0: int
    linf: float
    l2: float
    values: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """What is promised, to whom, by which measurements (in the sense of NIST SP 800-226).

    epsilon is computed from rho (zCDP, nano units) at delta (nano units, thresholds included) by OpenDP's conversion.
    """

    mode: Mode
    unit: Unit
    neighbouring: str
    epsilon: float
    delta: float
    rho: int
    bounds: Mapping[str, int]
    mechanisms: tuple[Mechanism, ...]
    covers: tuple[str, ...]
    does_not_cover: tuple[str, ...]
