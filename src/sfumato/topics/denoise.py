"""Free post-processing of a refinement: from noisy residual sums to centres, by empirical Bayes over all cells.

What the cells have in common (requests lie elsewhere than bare phrases do) is learned by a ridge regression from each
centre's position to its noisy residual; what is left is shrunk along the directions in which cells really differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.topics.refine import Cells

SPREAD = 0.02  # prior variance of a cell's own residual, per direction, before the data speak
PENALTIES = (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1; a zero row stays zero."""
    wide = rows.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def moved(centres: NDArray[np.floating], basis: NDArray[np.floating], cells: Cells) -> NDArray[np.float64]:
    """Unit centres (k, d) after one refinement; centres (k, d), basis (d, r) are those it was measured with.

    What a centre has outside the subspace is dropped: it came from the wording of a phrase, not from the data.
    """
    places = centres.astype(np.float64) @ basis
    return unit_rows((places + shifts(places, cells)) @ basis.T)


def shifts(places: NDArray[np.floating], cells: Cells) -> NDArray[np.float64]:
    """Posterior mean of each cell's mean residual (k, r), given the places (k, r) of the centres."""
    weights = np.maximum(cells.weights, 2 * cells.weight_sigma + 1.0)
    means = cells.sums / weights[:, None]
    noise = (cells.sum_sigma / weights) ** 2
    common = _regression(places.astype(np.float64), means, noise)
    return common + _wiener(means - common, noise)


def _regression(
    places: NDArray[np.float64], means: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ridge fit of the residuals on the places, the penalty chosen by weighted leave-one-out error."""
    precision = 1 / (noise + SPREAD / means.shape[1])
    root = np.sqrt(precision / precision.mean())[:, None]
    centre = (precision[:, None] * places).sum(axis=0) / precision.sum()
    level = (precision[:, None] * means).sum(axis=0) / precision.sum()
    left, values, right = np.linalg.svd((places - centre) * root, full_matrices=False)
    target = left.T @ ((means - level) * root)
    best, least = np.zeros_like(means), np.inf
    for penalty in (*PENALTIES, np.inf):
        gain = values**2 / (values**2 + penalty) if penalty < np.inf else np.zeros_like(values)
        fitted = left @ (gain[:, None] * target)
        leverage = (left * left * gain).sum(axis=1) + 1 / len(places)
        error = (((means - level) * root - fitted) / np.maximum(1 - leverage, 1e-3)[:, None]) ** 2
        if error.sum() < least:
            least = float(error.sum())
            coefficients = right.T @ ((gain / np.maximum(values, 1e-9))[:, None] * target)
            best = (places - centre) @ coefficients + level
    return best


def _wiener(residuals: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrink each cell's residual along the eigenvectors of the cells' own spread (noise taken off)."""
    precision = 1 / (noise + SPREAD / residuals.shape[1])
    share = precision**2 / (precision**2).sum()
    spread = (residuals * share[:, None]).T @ residuals
    values, axes = np.linalg.eigh(spread)
    own = np.maximum(values - float(share @ noise), 0)
    gain = own[None, :] / (own[None, :] + noise[:, None])
    return (residuals @ axes * gain) @ axes.T
