"""The only file that calls OpenDP: scales, privacy maps, noise, and the conversion from zCDP to (epsilon, delta).

Exact statistics reach OpenDP as integers alone, so no floating-point sum leaks (Mironov 2012; Casacuberta et al. 2022).
"""

from __future__ import annotations

import math
import os
from fractions import Fraction
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.model.guarantee import NANO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LARGEST_THRESHOLD = 2**30


@cache
def _opendp() -> Any:  # noqa: ANN401 - OpenDP ships no types; this file is its only caller
    """What this file uses of `opendp.prelude`, which imports scikit-learn too: two seconds in every process."""
    os.environ.setdefault("RUST_BACKTRACE", "0")  # an error costs 95 ms with it, 0.05 ms without
    from opendp import combinators, domains, measurements, metrics, mod

    mod.enable_features("contrib")
    names = {**vars(domains), **vars(metrics), **vars(mod)}
    return SimpleNamespace(**names, m=measurements, c=combinators)


def version() -> str:
    """Which OpenDP draws the noise."""
    return f"opendp {_opendp().__version__}"


def l2_of(*, l0: int, linf: float) -> float:
    """Euclidean sensitivity of a histogram in which one unit touches l0 keys by at most linf, rounded up."""
    return math.nextafter(math.sqrt(l0) * linf, math.inf)


@lru_cache(maxsize=64)  # to build one takes longer than to draw from it; it holds no data and no state
def _gaussian(size: int, scale: float) -> Any:  # noqa: ANN401
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T="i64"), size=size), dp.l2_distance(T="f64")
    return space >> dp.m.then_gaussian(scale)


def gaussian_rho(*, scale: float, l2: float) -> Fraction:
    """OpenDP's own privacy map of the discrete Gaussian: the rho that this scale costs at this sensitivity."""
    return Fraction(_gaussian(1, scale).map(l2))


def gaussian_scale(*, rho: int, l2: float) -> float:
    """Smallest scale (to within rounding) whose privacy map stays under `rho` nano units.

    Raises:
        ValueError: rho or l2 is not positive and finite.
    """
    if rho <= 0 or not 0 < l2 < math.inf:
        raise ValueError("a Gaussian needs a positive charge and a positive, finite sensitivity")
    scale = l2 * math.sqrt(NANO / (2 * rho))  # rho = (l2 / scale)^2 / 2: Bun and Steinke 2016, prop. 1.6
    while not 0 < gaussian_rho(scale=scale, l2=l2) <= Fraction(rho, NANO):
        scale *= 1 + 1e-12
    return scale


def _threshold_map(scale: float, threshold: int, l0: int, linf: int) -> tuple[float, float]:
    rho, delta = _gaussian_threshold(scale, threshold).map((l0, l2_of(l0=l0, linf=linf), float(linf)))
    return rho, delta


@lru_cache(maxsize=64)
def _gaussian_threshold(scale: float, threshold: int) -> Any:  # noqa: ANN401
    dp = _opendp()
    space = (
        dp.map_domain(dp.atom_domain(T="i64"), dp.atom_domain(T="i64")),
        dp.l02inf_distance(dp.absolute_distance(T="f64")),
    )
    return space >> dp.m.then_gaussian_threshold(scale=scale, threshold=threshold)


def selection_threshold(*, scale: float, delta: int, l0: int, linf: int) -> int:
    """The threshold to *run* at so that a key of one unit alone is released with probability at most `delta` (nano).

    OpenDP 0.16 releases at `noisy >= t` but prices `noisy > t`, which under-reports delta about threefold: we price
    at t and run at t + 1.
    """
    dp, target = _opendp(), Fraction(delta, NANO)
    priced = dp.binary_search(
        lambda t: Fraction(_threshold_map(scale, t, l0, linf)[1]) <= target,
        bounds=(linf + 1, LARGEST_THRESHOLD),
        T=int,
    )
    return int(priced) + 1


def selection_cost(*, scale: float, threshold: int, l0: int, linf: int) -> tuple[Fraction, Fraction]:
    """(rho, delta) by OpenDP's map of a selection *run* at `threshold`: priced one lower."""
    rho, delta = _threshold_map(scale, threshold - 1, l0, linf)
    return Fraction(rho), Fraction(delta)


def draw_gaussian(values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Values plus discrete Gaussian noise of this scale, same shape.

    Raises:
        ValueError: the values are not int64, or the scale is not positive and finite (OpenDP would answer anyway).
    """
    if values.dtype != np.int64 or not 0 < scale < math.inf:
        raise ValueError("noise needs int64 values and a positive, finite scale")
    flat = values.ravel()
    if flat.size == 0:
        return values.copy()
    return np.asarray(_gaussian(flat.size, scale)(flat), dtype=np.int64).reshape(values.shape)


def draw_selection(counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
    """Noisy counts of the keys whose noisy count reaches the threshold; keys are integers, counts at least 1.

    Raises:
        ValueError: a scale or threshold that would release exact counts, or a count under 1.
    """
    if not 0 < scale < math.inf or threshold < 1:
        raise ValueError("selection needs a positive, finite scale and a threshold of at least 1")
    if not counts:
        return {}
    if min(counts.values()) < 1:
        raise ValueError("selection takes only keys that somebody holds")
    return dict(_gaussian_threshold(scale, threshold)(dict(counts)))


def epsilon_of(*, rho: int, delta: Fraction) -> float:
    """Smallest epsilon such that rho-zCDP (nano units) implies (epsilon, delta)-DP, by OpenDP's conversion."""
    if rho == 0:
        return 0.0
    dp = _opendp()
    unit = (dp.atom_domain(T="i64"), dp.absolute_distance(T="f64")) >> dp.m.then_gaussian(1.0)
    distance = math.nextafter(math.sqrt(2 * rho / NANO), math.inf)
    below = math.nextafter(float(delta), 0.0)
    return float(dp.c.make_zCDP_to_approxDP(unit).map(distance).epsilon(below))


def rho_for(*, epsilon: Fraction, delta: Fraction) -> int:
    """Largest rho, in nano units and rounded down, that implies (epsilon, delta)-DP.

    Raises:
        ValueError: the pair is so small that not even one nano unit fits, or epsilon or delta is out of range.
    """
    if epsilon <= 0 or not 0 < delta < 1:
        raise ValueError("epsilon must be positive and delta between 0 and 1")

    def excess(rho: int) -> float:
        return float(Fraction(epsilon_of(rho=rho, delta=delta)) - epsilon)

    tail = math.log(1 / delta)  # a first guess, on the safe side: Bun and Steinke 2016, prop. 1.3
    high = max(1, int(NANO * (math.sqrt(tail + epsilon) - math.sqrt(tail)) ** 2))
    low, under, over = 0, -float(epsilon), excess(high)
    while high < 10**6 * NANO and over <= 0:
        low, under, high, over = high, over, high * 2, excess(high * 2)
    moved = 0
    while high - low > 1:  # false position, Illinois variant: Dowell and Jarratt 1971
        middle = min(max(low + round((high - low) * under / (under - over)), low + 1), high - 1)
        found = excess(middle)
        if found <= 0:
            low, under, over, moved = middle, found, over / (1 + (moved < 0)), -1
        else:
            high, over, under, moved = middle, found, under / (1 + (moved > 0)), 1
    if low == 0:
        raise ValueError("epsilon and delta are too small to measure anything")
    return low
