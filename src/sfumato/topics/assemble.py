"""PUBLIC. Puts released numbers, names and positions together into the tree; it holds nothing that was not released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from sfumato.topics import layout, naming
from sfumato.topics.tree import Measured, PhraseUsers, TopicNode, TopicTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LEVELS = ("leaf", "middle", "top")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Per level (leaves first): fitted noisy numbers and their standard deviations."""

    values: Sequence[NDArray[np.float64]]
    sigmas: Sequence[NDArray[np.float64]]

    @classmethod
    def of(cls, values: Sequence[NDArray[np.float64]], sigmas: Sequence[NDArray[np.float64]]) -> Self:
        """From the two results of a consistency fit."""
        return cls(values=values, sigmas=sigmas)

    def at(self, level: int, index: int) -> Measured:
        """One number."""
        return Measured(value=float(self.values[level][index]), sigma=float(self.sigmas[level][index]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Noisy users (leaves, c) of each leaf's candidate phrases; candidates are vocabulary indices."""

    candidates: NDArray[np.int64]
    users: NDArray[np.int64]
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Released facts about the epoch as a whole."""

    users: Measured
    conversations: Measured
    facets: Mapping[str, tuple[Measured, ...]]
    words: tuple[str, ...]
    word_users: NDArray[np.int64]
    word_sigma: float

    def phrases(self) -> tuple[PhraseUsers, ...]:
        """The released vocabulary, most users first."""
        return tuple(
            PhraseUsers(text=text, users=Measured(value=float(count), sigma=self.word_sigma))
            for text, count in zip(self.words, self.word_users, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Released numbers of every topic. of_leaf: per level the group of each leaf; parents: per level, of each topic.

    facets: per facet, per level (topics * values,), row by row.
    """

    of_leaf: Sequence[NDArray[np.int64]]
    parents: Sequence[NDArray[np.int64]]
    users: Numbers
    conversations: Numbers
    phrases: Within
    facets: Mapping[str, Numbers]


def empty(whole: Whole) -> TopicTree:
    """No phrase passed selection: totals only."""
    return TopicTree(
        users=whole.users, conversations=whole.conversations, facets=whole.facets, phrases=whole.phrases(), topics=(),
        leaf_ids=(), centroids=np.zeros((0, 1), np.float32),
    )  # fmt: skip


def labels_of(
    whole: Whole, counted: Counted, *, centroids: NDArray[np.float32], seeds: NDArray[np.float32]
) -> list[list[naming.Label]]:
    """Phrase titles of every level's topics, leaves first, from all that was measured."""
    return [_labels(whole, counted, level, centroids, seeds) for level in range(len(counted.of_leaf))]


def drafts(whole: Whole, *, centroids: NDArray[np.floating], seeds: NDArray[np.floating]) -> list[naming.Label]:
    """Phrase titles of leaves before anything was counted in them: from likeness and overall counts."""
    likeness = _unit(centroids) @ seeds.T.astype(np.float64)
    rows = naming.scores(likeness, whole.word_users.astype(np.float64), np.full(likeness.shape, np.nan), 1.0)
    return naming.labels(rows, whole.words)


def tree_of(
    whole: Whole, counted: Counted, labels: Sequence[Sequence[naming.Label]], *, centroids: NDArray[np.float32]
) -> TopicTree:
    """The tree, top level first; labels of every level's topics, leaves first; centroids (leaves, d) are released."""
    places = layout.positions(centroids)
    ids = [_ids(LEVELS[level], counted.users.values[level]) for level in range(len(counted.of_leaf))]
    topics: list[TopicNode] = []
    for level in reversed(range(len(counted.of_leaf))):
        group = counted.of_leaf[level]
        for index in np.argsort(-counted.users.values[level], kind="stable").tolist():
            label = labels[level][index]
            parent = ids[level + 1][counted.parents[level][index]] if level < len(ids) - 1 else None
            x, y = places[group == index].mean(axis=0).tolist()
            topics.append(
                TopicNode(
                    id=ids[level][index], parent=parent, level=level, name=label.name, description=label.description,
                    phrases=_phrases(whole, counted, level, index, label.phrases),
                    users=counted.users.at(level, index), conversations=counted.conversations.at(level, index),
                    facets={
                        facet: _row(counted.facets[facet], level, index, len(overall))
                        for facet, overall in whole.facets.items()
                        if facet in counted.facets
                    },
                    x=x, y=y,
                )
            )  # fmt: skip
    return TopicTree(
        users=whole.users, conversations=whole.conversations, facets=whole.facets, phrases=whole.phrases(),
        topics=tuple(topics), leaf_ids=tuple(ids[0]), centroids=centroids,
    )  # fmt: skip


def _ids(level: str, users: NDArray[np.float64]) -> list[str]:
    """Ids numbered by noisy size, largest first."""
    rank = np.argsort(np.argsort(-users, kind="stable"))
    return [f"{level}-{place + 1:03d}" for place in rank.tolist()]


def _labels(
    whole: Whole, counted: Counted, level: int, centroids: NDArray[np.float32], seeds: NDArray[np.float32]
) -> list[naming.Label]:
    """Names of one level's topics, the largest choosing first."""
    sizes = counted.users.values[level]
    within, noise = held(counted, level, len(whole.words))
    likeness = centres(counted, level, centroids) @ seeds.T.astype(np.float64)
    rows = naming.scores(likeness, whole.word_users.astype(np.float64), within, noise)
    order = np.argsort(-sizes, kind="stable")
    made = naming.labels(rows[order], whole.words)
    return [made[place] for place in np.argsort(order).tolist()]


def centres(counted: Counted, level: int, centroids: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit vectors (topics, d) of a level's topics: their leaves' centroids weighed by noisy users."""
    weight = np.clip(counted.users.values[0], 1.0, None)
    centre = np.zeros((len(counted.users.values[level]), centroids.shape[1]))
    np.add.at(centre, counted.of_leaf[level], centroids * weight[:, None])
    return _unit(centre)


def held(counted: Counted, level: int, words: int) -> tuple[NDArray[np.float64], float]:
    """Noisy users of each phrase in each topic of a level (topics, vocabulary), nan where not measured; their sigma."""
    found = np.full((len(counted.users.values[0]), words), np.nan)
    np.put_along_axis(found, counted.phrases.candidates, counted.phrases.users.astype(np.float64), axis=1)
    if level == 0:
        return found, counted.phrases.sigma
    group, size = counted.of_leaf[level], len(counted.users.values[level])
    total, known = np.zeros((size, words)), np.zeros((size, words))
    np.add.at(total, group, np.nan_to_num(found))
    np.add.at(known, group, ~np.isnan(found))
    return np.where(known > 0, total, np.nan), counted.phrases.sigma * float(np.sqrt(max(known.max(), 1.0)))


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1; here again because `denoise` knows of private measurements and this file may not."""
    wide = rows.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return wide


def _phrases(whole: Whole, counted: Counted, level: int, index: int, chosen: Sequence[int]) -> tuple[PhraseUsers, ...]:
    """A topic's phrases; counts only for leaves, where they were measured."""
    users: dict[int, Measured] = {}
    if level == 0:
        row = counted.phrases.users[index]
        users = {
            word: Measured(value=float(row[place]), sigma=counted.phrases.sigma)
            for place, word in enumerate(counted.phrases.candidates[index].tolist())
        }
    return tuple(PhraseUsers(text=whole.words[word], users=users.get(word)) for word in chosen)


def _row(numbers: Numbers, level: int, index: int, width: int) -> tuple[Measured, ...]:
    """One topic's numbers over a facet's domain."""
    return tuple(numbers.at(level, index * width + place) for place in range(width))
