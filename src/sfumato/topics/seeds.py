"""Steps 2 to 4: from released phrases to leaf centroids: embed, refine, merge, refine again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import denoise, merge, refine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.plan import TopicPlan

RANK = 96
MOST_SEEDS = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Released size of an epoch: noisy users, and the noise of one leaf's user count to come."""

    users: float
    leaf_sigma: float


def leaf_centroids(
    epoch: BoundedEpoch,
    seeds: NDArray[np.float32],
    *,
    plan: TopicPlan,
    measurer: Measurer,
    charges: Mapping[str, int],
    size: Population,
) -> NDArray[np.float32]:
    """Released leaf centroids (leaves, d), unit rows; seeds (k, d) are the released phrases' vectors, most users first."""
    start = denoise.unit_rows(seeds[:MOST_SEEDS])
    basis = merge.subspace(start, rank=min(RANK, start.shape[1]))
    cells = refine.measure(epoch, refine.frame(start, basis), measurer, name="refine seeds", rho=charges["refine seeds"])
    first = denoise.moved(start, basis, cells)
    used = np.flatnonzero(cells.weights > 2 * cells.weight_sigma)
    if not len(used):
        used = np.asarray([int(cells.weights.argmax())])
    wanted = plan.leaves or merge.leaf_count(
        users=size.users, cells=len(used), sigma=size.leaf_sigma, min_users=plan.min_users
    )
    leaves = merge.merged(first[used], np.maximum(cells.weights[used], 1.0), leaves=wanted)
    cells = refine.measure(epoch, refine.frame(leaves, basis), measurer, name="refine leaves", rho=charges["refine leaves"])
    return denoise.moved(leaves, basis, cells).astype(np.float32)
