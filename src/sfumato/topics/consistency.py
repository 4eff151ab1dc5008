"""Free post-processing: noisy counts of a tree made to agree, each number weighted by the inverse of its variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Levels = Sequence[NDArray[np.float64]]


def added_up(
    values: Levels, sigmas: Sequence[float], parents: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Least-squares fit in which every parent is the sum of its children (Hay et al. 2010, on an irregular tree).

    values: per level, leaves first. parents: for each level but the last, the parent of each topic. The second result
    is the standard deviation of each number after the upward pass, an upper bound of the final one: 5 % too large or so
    in trees of this kind, since the final errors of topics under one parent lean against each other. A reader who
    subtracts one from the other adds up variances as if they did not, and this bound is what makes that right.
    Right only where every unit counts in one topic of a level.
    """
    fitted = [values[0].astype(np.float64)]
    variances = [np.full(len(values[0]), sigmas[0] ** 2)]
    for level in range(1, len(values)):
        size = len(values[level])
        below = np.bincount(parents[level - 1], weights=fitted[-1], minlength=size)
        spread = np.bincount(parents[level - 1], weights=variances[-1], minlength=size)
        trust = spread / (spread + sigmas[level] ** 2)
        fitted.append(trust * values[level] + (1 - trust) * below)
        variances.append(trust * sigmas[level] ** 2)
    for level in range(len(values) - 1, 0, -1):
        above = parents[level - 1]
        size = len(fitted[level])
        gap = fitted[level] - np.bincount(above, weights=fitted[level - 1], minlength=size)
        spread = np.bincount(above, weights=variances[level - 1], minlength=size)
        fitted[level - 1] = fitted[level - 1] + gap[above] * variances[level - 1] / spread[above]
    return fitted, [np.sqrt(variance) for variance in variances]


def enclosed(
    values: Levels, sigmas: Sequence[float], parents: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Distinct units that may stand in several topics: a parent holds at least its largest child, at most all.

    Only pairs that contradict this are moved, to their weighted mean.
    """
    fitted = [level.astype(np.float64) for level in values]
    for level in range(1, len(values)):
        trust = sigmas[level - 1] ** 2 / (sigmas[level - 1] ** 2 + sigmas[level] ** 2)
        for parent in range(len(fitted[level])):
            children = np.flatnonzero(parents[level - 1] == parent)
            fitted[level][parent], fitted[level - 1][children] = _enclose(
                fitted[level][parent], fitted[level - 1][children], trust
            )
    return fitted, [np.full(len(level), sigma) for level, sigma in zip(values, sigmas, strict=True)]


def no_fewer(
    talks: NDArray[np.float64], unsure: float, users: NDArray[np.float64], sure: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Conversations where each user has one at least: those under the users move to the weighted mean of both.

    unsure, sure: standard deviations of the one and of the other.
    """
    agreed = (sure**2 * talks + unsure**2 * users) / (sure**2 + unsure**2)
    return np.asarray(np.where(talks < users, agreed, talks))


def _enclose(parent: float, children: NDArray[np.float64], trust: float) -> tuple[float, NDArray[np.float64]]:
    """`trust` is the weight of the parent's number against one child's."""
    total = float(children.sum())
    if not len(children):
        return parent, children
    if parent > total:
        spread = (1 - trust) / (1 - trust + trust * len(children))
        agreed = total + (parent - total) * (1 - spread)
        return agreed, children + (agreed - total) / len(children)
    largest = float(children.max())
    if parent < largest:
        agreed = trust * parent + (1 - trust) * largest
        return agreed, np.minimum(children, agreed)
    return parent, children
