"""What the model that writes names is shown of each topic, at the two times it is asked: before and after counting.

Before, leaves get draft titles from the phrases near them, and the tree above them is built from those titles. After,
all topics get their final titles, leaves from the phrases counted in them, parents from their children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import assemble
from sfumato.topics.lexicon import Lexicon
from sfumato.topics.namer import Namer
from sfumato.topics.titles import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.model.prompt import Model
    from sfumato.topics.naming import Label

PHRASES = 12  # shown of a topic
CHILDREN = 24
NEAREST, EACH = 3, 3  # topics shown for contrast, and phrases of each


def author(
    model: Model, embed: Callable[[Sequence[str]], NDArray[np.float32]], phrases: Sequence[str], spoken: Sequence[str]
) -> Namer:
    """A namer bound to the words of these released phrases, in the languages (ISO 639-1) that people speak."""
    return Namer(model=model, embed=embed, lexicon=Lexicon.of(phrases, spoken))


def groupings(
    namer: Namer, whole: assemble.Whole, centroids: NDArray[np.float32], seeds: NDArray[np.float32]
) -> tuple[NDArray[np.int64], ...]:
    """For each level above the leaves, each leaf's group: from draft titles, before anything was counted in topics."""
    drafts = assemble.drafts(whole, centroids=centroids, seeds=seeds)
    contrast = _contrast(drafts, centroids.astype(np.float64), whole.words)
    evidence = [
        Evidence(phrases=[(whole.words[i], float(whole.word_users[i])) for i in draft.phrases], contrast=others)
        for draft, others in zip(drafts, contrast, strict=True)
    ]
    return namer.groupings(namer.titled(drafts, evidence), centroids)


def labels(
    namer: Namer,
    whole: assemble.Whole,
    counted: assemble.Counted,
    plain: Sequence[Sequence[Label]],
    centroids: NDArray[np.float32],
) -> list[list[Label]]:
    """Final labels of every level, leaves first, a parent's from its children's. plain: the phrase titles."""
    made: list[list[Label]] = []
    for level, own in enumerate(plain):
        held, _ = assemble.held(counted, level, len(whole.words))
        contrast = _contrast(own, assemble.centres(counted, level, centroids), whole.words)
        parts = _parts(made[-1], counted, level) if made else [[] for _ in own]
        evidence = [
            Evidence(
                users=counted.users.at(level, place).value,
                phrases=_phrases(label, held[place], whole.words),
                parts=parts[place],
                contrast=contrast[place],
            )
            for place, label in enumerate(own)
        ]
        made.append(namer.titled(own, evidence))
    return made


def _phrases(label: Label, held: NDArray[np.float64], words: Sequence[str]) -> list[tuple[str, float | None]]:
    """The label's phrases, then those most used in the topic; noisy users where measured."""
    order = np.argsort(-np.nan_to_num(held), kind="stable")[:PHRASES].tolist()
    shown = dict.fromkeys([*label.phrases, *(i for i in order if held[i] > 0)])
    return [(words[i], None if np.isnan(held[i]) else float(held[i])) for i in list(shown)[:PHRASES]]


def _parts(below: Sequence[Label], counted: assemble.Counted, level: int) -> list[list[tuple[str, float | None]]]:
    """Names and noisy users of each topic's children, largest first."""
    users, above = counted.users.values[level - 1], counted.parents[level - 1]
    found: list[list[tuple[str, float | None]]] = [[] for _ in counted.users.values[level]]
    for child in np.argsort(-users, kind="stable").tolist():
        found[above[child]].append((below[child].name, float(users[child])))
    return [rows[:CHILDREN] for rows in found]


def _contrast(own: Sequence[Label], centres: NDArray[np.float64], words: Sequence[str]) -> list[list[str]]:
    """For each topic, the best phrases of those nearest to it that are not its own too."""
    likeness = centres @ centres.T
    np.fill_diagonal(likeness, -np.inf)
    near = np.argsort(-likeness, axis=1, kind="stable")[:, : min(NEAREST, len(own) - 1)]
    return [
        [words[i] for other in row for i in own[other].phrases[:EACH] if i not in own[place].phrases]
        for place, row in enumerate(near.tolist())
    ]
