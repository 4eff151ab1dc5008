"""Steps 3 and 4: from inhabited places to leaf centroids, by rounds of merging (free) and refining (private)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.guarantee import NANO
from sfumato.topics import denoise, merge, refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.seeds import Places

RANK = 128
FIRST_ROUND = 2.0  # cells in the first round, as a multiple of the leaves; it falls to 1 in the last
FEWEST_ROUNDS, MOST_ROUNDS = 2, 16
SIGNAL_PER_ROUND = 14.0  # users of a mean leaf, in units of one round's noise, that pay for a round of their own
LAST_ROUND = 1.5  # charge of the last round relative to the first
FIRST_LENGTH = 0.5  # of the mean of a cell's rows around a phrase; later rounds measure their own
OVER = 0.8  # how much further than measured a cell goes in a direction that noise leaves certain
HASTE = 0.04  # for each round that is planned, how much longer the first step is; the last one is not
DRIFT = 0.2  # of a cell's weight: how much of it may have changed hands since it was last measured
EMPTY = 0.2  # of the mean weight: a cell below it is dropped
CLEARANCE = 0.5  # standard deviations over the policy's threshold that a leaf's weight must reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How many leaves are wanted, the noisy number of users they share, and the policy's threshold."""

    leaves: int
    users: float
    min_users: int


def rounds(target: Target, *, rho: int) -> int:
    """How many rounds the budget carries: each splits it, and pays off only where cells clear its noise."""
    noise = refine.RADIUS / math.sqrt(2 * rho / NANO)
    return max(FEWEST_ROUNDS, min(MOST_ROUNDS, round(target.users / target.leaves / noise / SIGNAL_PER_ROUND)))


def refined(
    epoch: BoundedEpoch,
    places: Places,
    basis: NDArray[np.float64],
    *,
    target: Target,
    measurer: Measurer,
    rho: int,
) -> NDArray[np.float32]:
    """Leaf centroids (at most target.leaves, d), unit rows; basis: public directions (d, r).

    What a place has outside the subspace is dropped: it came from the wording of a phrase, not from the data.
    """
    count = rounds(target, rho=rho)
    steps = np.linspace(0, 1, count)
    shares = 1 + (LAST_ROUND - 1) * steps
    shares = shares / shares.sum()
    vectors, weights = denoise.unit_rows(places.vectors @ basis), places.weights
    spread, length = np.full(len(weights), places.sigma**2), FIRST_LENGTH
    for number, (step, share) in enumerate(zip(steps, shares, strict=True), 1):
        size = max(1, round(target.leaves * FIRST_ROUND ** (1 - step)))
        vectors, weights, spread = merge.merged(vectors, weights, spread, leaves=size)
        where = refine.frame(vectors @ basis.T, basis, length=length)
        cells = refine.measure(epoch, where, measurer, name=f"refine {number}", rho=int(rho * share))
        stride = 1 + HASTE * count * (1 - step)
        means = length * vectors + stride * denoise.shifts(vectors, cells, over=OVER)
        vectors = denoise.unit_rows(means)
        length = float(np.average(np.linalg.norm(means, axis=1), weights=np.maximum(cells.weights, 1)))
        weights, spread = _weighed(weights, spread, cells)
        least = EMPTY * max(float(weights.mean()), 0.0)
        if step == 1:  # under the threshold it would only be suppressed
            least = max(least, target.min_users + CLEARANCE * math.sqrt(float(spread.mean())))
        stay = weights >= min(least, float(weights.max()))
        vectors, weights, spread = vectors[stay], np.maximum(weights[stay], 1.0), spread[stay]
    return (vectors @ basis.T).astype(np.float32)


def _weighed(
    weights: NDArray[np.float64], spread: NDArray[np.float64], cells: refine.Cells
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and their variances after one more measurement, by a Kalman filter."""
    spread = spread + (DRIFT * weights) ** 2
    trust = spread / (spread + cells.weight_sigma**2)
    return weights + trust * (cells.weights - weights), trust * cells.weight_sigma**2
