"""Where topics stand on a map: a deterministic 2-D layout of released centroids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_FOR_NEIGHBOURS = 12
PERPLEXITY = 15.0


def positions(centroids: NDArray[np.floating]) -> NDArray[np.float64]:
    """Places (k, 2) within [-1, 1]; near topics stand near each other."""
    count = len(centroids)
    flat = _principal(centroids.astype(np.float64))
    if count >= FEWEST_FOR_NEIGHBOURS:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        start = flat / max(float(flat[:, 0].std()), 1e-9) * 1e-4
        perplexity = min(PERPLEXITY, (count - 1) / 3)
        with threadpool_limits(limits=1):  # its small products lose manyfold to threads that wait for each other
            flat = TSNE(2, perplexity=perplexity, init=start, metric="cosine", random_state=0).fit_transform(centroids)
        flat = np.asarray(flat, np.float64)
    flat -= flat.mean(axis=0)
    flat /= max(float(np.abs(flat).max()), 1e-9)
    return flat


def _principal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """First two principal coordinates, signs fixed by the largest entry."""
    centred = points - points.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(points), 2))
    have = min(2, len(values))
    plane[:, :have] = left[:, :have] * values[:have]
    largest = np.abs(plane).argmax(axis=0)
    return plane * np.where(plane[largest, [0, 1]] < 0, -1.0, 1.0)
