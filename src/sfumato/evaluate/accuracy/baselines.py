"""FOR MEASURING ONLY. What sfumato's topics stand beside: k-means without privacy, and private Lloyd steps.

Neither leads to a release. Noise of the private one comes from the same OpenDP mechanisms and is charged in full; its
counts are not released, so all of rho goes into its steps: that favours it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sfumato.privacy.measure import Measurer
from sfumato.topics import grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.evaluate.accuracy.trial import Setting
    from sfumato.privacy.noise import NoiseSource

STEPS = 5
SUM_SHARE = 0.8  # of a step's charge; the rest is for counts
RANDOM_START = 0


def k_means(setting: Setting, *, clusters: int) -> NDArray[np.int64]:
    """(n,) clusters by k-means to convergence, started by k-means++. No privacy at all."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rows = setting.epoch.vectors.astype(np.float32)
    with threadpool_limits(1):
        found = KMeans(min(clusters, len(rows)), n_init=1, random_state=RANDOM_START).fit_predict(rows)
    return np.asarray(found, np.int64)


def private_lloyd(setting: Setting, *, clusters: int, noise: NoiseSource) -> NDArray[np.int64]:
    """(n,) clusters after private Lloyd steps from random directions (Su, Cao, Li, Bertino, Jin 2016, in rho-zCDP).

    Each step releases noisy sums of vectors and noisy sizes of clusters. One row of a unit takes part, its first, so a
    unit adds one vector of norm 1 at most to one cluster.
    """
    epoch = setting.epoch
    first = np.flatnonzero(np.r_[True, np.diff(epoch.unit_of) != 0]) if len(epoch) else np.zeros(0, np.int64)
    rows = epoch.vectors[first]
    draw = np.random.default_rng(RANDOM_START)
    centres = _unit(draw.normal(size=(clusters, epoch.vectors.shape[1])))
    measurer = Measurer(noise, rho=setting.allowed.rho, delta=0)
    charge = setting.allowed.rho // STEPS
    for_sums = int(charge * SUM_SHARE)
    for step in range(STEPS):
        near = grid.nearest(rows, grid.quantise(centres))
        sums = np.zeros(centres.shape, np.int64)
        for part in grid.chunks(len(rows)):
            np.add.at(sums, near[part], grid.quantise(rows[part]).astype(np.int64))
        sizes = np.bincount(near, minlength=clusters).astype(np.int64)
        moved = measurer.sums(f"sums {step}", sums, rho=for_sums, l2=grid.LIMIT, statistic="vectors of a cluster")
        held = measurer.counts(f"sizes {step}", sizes, rho=charge - for_sums, l0=1, statistic="units of a cluster")
        clear = held.values > math.ceil(held.sigma)
        centres = np.where(clear[:, None], _unit(moved.values.astype(np.float64)), centres)
    return grid.nearest(epoch.vectors, grid.quantise(centres)).astype(np.int64)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return wide
