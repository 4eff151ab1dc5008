"""Free post-processing of a refinement: from noisy residual sums to places, by empirical Bayes over all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.topics.refine import Cells

PENALTIES = (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e9)
LONGEST = 1.5  # step, as a multiple of what was measured
SPREAD = 0.02  # variance of a cell's own residual over all directions, assumed only to weigh cells against each other


def shifts(places: NDArray[np.float64], cells: Cells, *, stride: float = 1.0, over: float = 0.0) -> NDArray[np.float64]:
    """How far to move cells at `places` (k, r): the posterior mean of each one's mean residual, or further.

    The prior's mean is what cells have in common (requests lie elsewhere than bare phrases do), learned by regression
    on their places; its covariance is their own spread about that, noise taken off: where cells do not differ, nothing
    moves.

    Where cells overlap, Lloyd's steps fall short of where they lead to, so longer ones get there in fewer rounds
    (Salakhutdinov and Roweis 2003, over-relaxed bound optimisation): everything `stride` times as far, and up to 1 +
    `over` times that where noise leaves little doubt. Twice what was measured would swing for ever about a cell that
    stands apart; LONGEST keeps away from that.
    """
    weights = np.maximum(cells.weights, 2 * cells.weight_sigma + 1.0)
    means = cells.sums / weights[:, None]
    noise = (cells.sum_sigma / weights) ** 2
    precision = 1 / (noise + SPREAD / means.shape[1])
    common = _common(places, means, precision)
    residuals = means - common
    share = precision**2 / (precision**2).sum()
    values, axes = np.linalg.eigh((residuals * share[:, None]).T @ residuals)
    own = np.maximum(values - float(share @ noise), 0)
    gain = own[None, :] / (own[None, :] + noise[:, None])
    step = np.minimum(stride * (gain + over * gain**2), LONGEST)
    return np.asarray(stride * common + (residuals @ axes * step) @ axes.T)


def _common(
    places: NDArray[np.float64], means: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted ridge fit of the residuals on the places, the penalty chosen by leave-one-out error."""
    root = np.sqrt(precision / precision.mean())[:, None]
    centred = places - precision @ places / precision.sum()
    level = precision @ means / precision.sum()
    left, values, right = np.linalg.svd(centred * root, full_matrices=False)
    wanted = (means - level) * root
    target = left.T @ wanted
    best, least = np.zeros_like(target), np.inf
    for penalty in PENALTIES:
        gain = values**2 / (values**2 + penalty)
        leverage = (left * left * gain).sum(axis=1) + 1 / len(places)
        error = ((wanted - left @ (gain[:, None] * target)) / np.maximum(1 - leverage, 1e-3)[:, None]) ** 2
        if error.sum() < least:
            least = float(error.sum())
            best = (gain / np.maximum(values, 1e-9))[:, None] * target
    return np.asarray(level + centred @ (right.T @ best))
