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
FEWEST_ROUNDS, MOST_ROUNDS = 2, 5
SIGNAL_PER_ROUND = 18.0  # users of a mean leaf, in units of one round's noise, that pay for a round of their own
LAST_ROUND = 1.5  # charge of the last round relative to the first
EMPTY = 0.2  # of the mean weight: a cell below it is dropped


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
    spread = np.full(len(weights), places.sigma**2)
    for step in range(count):
        size = max(1, round(target.leaves * FIRST_ROUND ** (1 - steps[step])))
        vectors, weights, spread = merge.merged(vectors, weights, spread, leaves=size)
        charge = int(rho * shares[step])
        frame = refine.frame(vectors @ basis.T, basis)
        cells = refine.measure(epoch, frame, measurer, name=f"refine {step + 1}", rho=charge)
        vectors = denoise.moved(vectors, cells)
        trust = spread / (spread + cells.weight_sigma**2)
        weights = weights + trust * (cells.weights - weights)
        spread = trust * cells.weight_sigma**2
        least = EMPTY * max(float(weights.mean()), 0.0)
        if step >= count - 1:
            least = max(least, target.min_users)  # under the threshold it would only be suppressed
        stay = weights >= min(least, float(weights.max()))
        vectors, weights, spread = vectors[stay], np.maximum(weights[stay], 1.0), spread[stay]
    return (vectors @ basis.T).astype(np.float32)
