"""How well released topics match known labels, and how right their user counts are. Integer arrays in, one number out.

Rows that belong to no released topic (topic -1) form one cluster of their own in purity, NMI and ARI: suppressing a
topic can't hide its rows from a score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

UNASSIGNED = -1


def purity(labels: NDArray[np.integer], topics: NDArray[np.integer]) -> float:
    """Share of the n rows that carry the majority label of their cluster (Manning et al. 2008, eq. 16.1); nan if n = 0.

    Raises:
        ValueError: the arrays are not one-dimensional of one length.
    """
    _check(labels, topics)
    if labels.size == 0:
        return float("nan")
    table = _contingency(labels, topics)
    return float(table.max(axis=1).sum() / labels.size)


def nmi(labels: NDArray[np.integer], topics: NDArray[np.integer]) -> float:
    """Normalized mutual information, arithmetic mean of the entropies (Vinh et al. 2010); nan if n = 0.

    Raises:
        ValueError: the arrays are not one-dimensional of one length.
    """
    _check(labels, topics)
    if labels.size == 0:
        return float("nan")
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, _one_negative(topics)))


def ari(labels: NDArray[np.integer], topics: NDArray[np.integer]) -> float:
    """Rand index adjusted for chance (Hubert and Arabie 1985); nan if n = 0.

    Raises:
        ValueError: the arrays are not one-dimensional of one length.
    """
    _check(labels, topics)
    if labels.size == 0:
        return float("nan")
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, _one_negative(topics)))


def coverage(
    labels: NDArray[np.integer], users: NDArray[np.integer], topics: NDArray[np.integer], *, min_users: int
) -> float:
    """Share of the labels with at least `min_users` distinct users that are the majority label of a released topic.

    labels, users, topics: n codes each. Ties in a topic go to the smallest label. nan if no label has so many users.

    Raises:
        ValueError: the arrays are not one-dimensional of one length.
    """
    _check(labels, topics)
    _check(users, topics)
    pairs = np.unique(np.stack([labels, users], axis=1), axis=0)
    names, people = np.unique(pairs[:, 0], return_counts=True)
    wanted = names[people >= min_users]
    if wanted.size == 0:
        return float("nan")
    released = topics > UNASSIGNED
    if not released.any():
        return 0.0
    table = _contingency(labels[released], topics[released])
    found = np.unique(labels[released])[table.argmax(axis=1)]
    return float(np.isin(wanted, found).mean())


def count_error(released_users: Mapping[int, float], topics: NDArray[np.integer], users: NDArray[np.integer]) -> float:
    """Median over released topics of |released - true| / true, true being the distinct users assigned to the topic.

    released_users: topic index -> released number of users. A topic that nobody is assigned to counts as inf where its
    released number is not 0, and as 0 where it is. nan if nothing is released.

    Raises:
        ValueError: the arrays are not one-dimensional of one length.
    """
    _check(topics, users)
    if not released_users:
        return float("nan")
    pairs = np.unique(np.stack([topics, users], axis=1), axis=0)
    names, people = np.unique(pairs[:, 0], return_counts=True)
    true = dict(zip(names.tolist(), people.tolist(), strict=True))
    return float(np.median([_relative(value, true.get(topic, 0)) for topic, value in released_users.items()]))


def _relative(released: float, true: int) -> float:
    if true:
        return abs(released - true) / true
    return float("inf") if released else 0.0


def _check(one: NDArray[np.integer], other: NDArray[np.integer]) -> None:
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError("scores compare one-dimensional arrays of one length")


def _one_negative(topics: NDArray[np.integer]) -> NDArray[np.integer]:
    clipped: NDArray[np.integer] = np.maximum(topics, UNASSIGNED)
    return clipped


def _contingency(labels: NDArray[np.integer], topics: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rows by cluster and label, shape (clusters, labels); both axes in rising order of code."""
    names, label = np.unique(labels, return_inverse=True)
    clusters, cluster = np.unique(_one_negative(topics), return_inverse=True)
    flat = np.bincount(cluster * len(names) + label, minlength=len(clusters) * len(names))
    return flat.reshape(len(clusters), len(names))
