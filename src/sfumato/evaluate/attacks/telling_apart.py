"""The game of membership: from what is seen of runs with and without a user, tell new runs apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError
from sfumato.evaluate.attacks.lower_bound import Errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 4  # runs of a side: two to train on, two to tell
RIDGE = 0.02  # of a feature's variance: a direction without noise stays usable, and shows


def told_apart(
    out: NDArray[np.float64], within: NDArray[np.float64], shift: NDArray[np.float64] | None = None
) -> Errors:
    """Fisher's linear rule, fitted on the first half of the runs, tried on the second. out, within: (runs, features).

    It finds noise that is shared by features, and takes it off. shift: what the user adds, where that is known.

    Raises:
        InputError: fewer than four runs of a side. ValueError: a feature is no finite number.
    """
    if min(len(out), len(within)) < FEWEST:
        raise InputError(f"an attack whose rule is trained needs at least {2 * FEWEST} trials")
    if not (np.isfinite(out).all() and np.isfinite(within).all()):
        raise ValueError("what is seen of a run is made of finite numbers")
    half_out, half_in = len(out) // 2, len(within) // 2
    scale = np.maximum(np.r_[out[:half_out], within[:half_in]].std(axis=0), 1e-9)
    near, far = out / scale, within / scale
    mean_out, mean_in = near[:half_out].mean(axis=0), far[:half_in].mean(axis=0)
    added = mean_in - mean_out if shift is None else shift / scale
    centred = np.r_[near[:half_out] - mean_out, far[:half_in] - mean_in]
    spread = centred.T @ centred / max(len(centred) - 2, 1)
    rule = np.linalg.solve(spread + RIDGE * np.eye(len(spread)), added)
    threshold = float((mean_out + mean_in) @ rule / 2)
    return Errors.of(near[half_out:] @ rule, far[half_in:] @ rule, threshold)
