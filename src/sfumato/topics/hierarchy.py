"""The tree above the leaves, from released centroids alone: Ward's agglomeration cut at two heights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TWO_LEVELS = 8  # fewer leaves than this stay a flat list
THREE_LEVELS = 31
FEWEST_TOP, MOST_TOP, LEAVES_PER_TOP = 4, 16, 14


def level_sizes(leaves: int) -> tuple[int, ...]:
    """Topics in each level above the leaves, lowest first; levels shrink by one ratio (Clio, appendix G.7)."""
    if leaves < TWO_LEVELS:
        return ()
    top = min(MOST_TOP, max(FEWEST_TOP, round(leaves / LEAVES_PER_TOP)))
    if leaves < THREE_LEVELS:
        return (min(top, leaves // 2),)
    return (round(math.sqrt(leaves * top)), top)


def groupings(points: NDArray[np.floating]) -> tuple[NDArray[np.int64], ...]:
    """For each level above the leaves, the group of every leaf (leaves,), numbered from 0; groups nest.

    points: released leaf positions (leaves, d), such as centroids joined with embeddings of names.
    """
    return tuple(cut(points, size) for size in level_sizes(len(points)))


def cut(points: NDArray[np.floating], size: int) -> NDArray[np.int64]:
    """The group of every row (n,) in Ward's agglomeration down to `size` groups, numbered from 0."""
    from sklearn.cluster import AgglomerativeClustering

    return renumbered(AgglomerativeClustering(size, linkage="ward").fit_predict(points.astype(np.float64)))


def renumbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups numbered by their first leaf."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
