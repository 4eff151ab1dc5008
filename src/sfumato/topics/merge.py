"""Free post-processing: a public subspace, the number of leaves, and the merging of refined seeds into that many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics.grid import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_LEAVES = 2
INITS = 3


def subspace(points: NDArray[np.floating], *, rank: int) -> NDArray[np.float64]:
    """Orthonormal directions (d, at most rank) that carry most of the points' spread, their mean among them."""
    wide = points.astype(np.float64)
    mean = wide.mean(axis=0)
    if len(wide) < wide.shape[1]:  # the same directions, many times sooner
        axes = np.linalg.svd(wide - mean, full_matrices=False)[2].T
    else:
        axes = np.linalg.eigh((wide - mean).T @ (wide - mean))[1][:, ::-1]
    basis, _ = np.linalg.qr(np.column_stack([mean, axes[:, : rank - 1]]))
    return basis


def leaf_count(*, users: float, cells: int, sigma: float, min_users: int) -> int:
    """About the root of the users, no more than noise and threshold leave visible, nor than there are cells."""
    visible = users / (1.5 * max(min_users, 3 * sigma, 1.0))
    return max(FEWEST_LEAVES, min(round(1.15 * math.sqrt(max(users, 1.0))), int(visible), cells))


def merged(
    means: NDArray[np.float64], weights: NDArray[np.float64], variances: NDArray[np.float64], *, leaves: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means (k, r) of cells become those of at most `leaves`, by weighted k-means of their directions.

    Weights and variances are added up. Deterministic. A cell that stands for nobody any more is left out.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(means) <= leaves:
        return means, weights, variances
    with threadpool_limits(1):  # its many small products lose tenfold to threads that wait for a busy core
        group = KMeans(leaves, n_init=INITS, random_state=0).fit(unit_rows(means), sample_weight=weights).labels_
    total = np.bincount(group, weights=weights, minlength=leaves)
    spread = np.bincount(group, weights=variances, minlength=leaves)
    sums = np.zeros((leaves, means.shape[1]))
    np.add.at(sums, group, means * weights[:, None])
    held = total > 0
    return sums[held] / total[held, None], np.asarray(total[held]), np.asarray(spread[held])
