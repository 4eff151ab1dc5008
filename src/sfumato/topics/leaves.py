"""Steps 3 and 4: from inhabited places to leaf centroids, by rounds of merging (free) and refining (private)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.guarantee import NANO
from sfumato.topics import denoise, grid, merge, refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.seeds import Places

RANK = 128
FIRST_ROUND = 2.0  # cells in the first round, as a multiple of the leaves; it falls to 1 in the last
FEWEST_ROUNDS, MOST_ROUNDS = 2, 16
SIGNAL_PER_ROUND = 14.0  # users of a mean leaf, in units of one round's noise, that pay for a round of their own
LEAVES_PER_ROUND = 8  # one round more for so many leaves, as long as the budget carries it
LAST_ROUND = 1.5  # charge of the last round relative to the first
FIRST_LENGTH = 0.5  # of the mean of a cell's rows about a phrase; later rounds measure each cell's own
OVER = 0.8  # how much further than measured a cell goes in a direction that noise leaves certain
HASTE = 0.6  # how much longer the first step is where the budget carries most rounds
DRIFT = 0.2  # of a cell's weight: how much of it may change hands in an early round
EMPTY = 0.2  # of the mean weight: a cell below it is dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How many leaves are wanted, the noisy number of users they share, and the policy's threshold."""

    leaves: int
    users: float
    min_users: int


def rounds(target: Target, *, rho: int) -> int:
    """How many rounds the budget carries: each splits it, and pays off only where cells clear its noise.

    Few leaves stand apart and are there soon; and they are too few to tell what they have in common from noise.
    """
    noise = refine.RADIUS / math.sqrt(2 * rho / NANO)
    most = min(MOST_ROUNDS, FEWEST_ROUNDS + target.leaves // LEAVES_PER_ROUND)
    return max(FEWEST_ROUNDS, min(most, round(target.users / target.leaves / noise / SIGNAL_PER_ROUND)))


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
    means, weights = FIRST_LENGTH * grid.unit_rows(places.vectors @ basis), places.weights
    spread = np.full(len(weights), places.sigma**2)
    haste = HASTE * (count / MOST_ROUNDS) ** 2
    for number, (step, share) in enumerate(zip(steps, shares, strict=True), 1):
        size = max(1, round(target.leaves * FIRST_ROUND ** (1 - step)))
        means, weights, spread = merge.merged(means, weights, spread, leaves=size)
        where = refine.frame(means, basis)
        cells = refine.measure(epoch, where, measurer, name=f"refine {number}", rho=int(rho * share))
        means = means + denoise.shifts(means, cells, stride=1 + haste * (1 - step), over=OVER)
        weights, spread = _weighed(weights, spread, cells, drift=DRIFT * (1 - step))
        least = EMPTY * max(float(weights.mean()), 0.0)
        if number == count:
            least = max(least, target.min_users)  # under the threshold it would only be suppressed
        stay = weights >= min(least, float(weights.max()))
        means, weights, spread = means[stay], np.maximum(weights[stay], 1.0), spread[stay]
    return (grid.unit_rows(means) @ basis.T).astype(np.float32)


def _weighed(
    weights: NDArray[np.float64], spread: NDArray[np.float64], cells: refine.Cells, *, drift: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and their variances after one more measurement, by a Kalman filter."""
    spread = spread + (drift * weights) ** 2
    trust = spread / (spread + cells.weight_sigma**2)
    return weights + trust * (cells.weights - weights), trust * cells.weight_sigma**2
