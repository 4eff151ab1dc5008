"""Stub epochs for audits: a crowd around a few places, and the user who moves every statistic as far as allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.hashed import WIDTH, HashedEmbedder
from sfumato.privacy.bounds import BoundedEpoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WORDS = ("card", "flight", "recipe", "tyre", "song", "weather")
MIDDLING = ("obelisk", "quartz", "sonnet")  # held by about as many as a threshold asks for
HELD = 0.25  # share of users who propose one of them
SPREAD = 0.05
FACET_VALUES = ("one", "two", "three")
FACETS = {"plan": FACET_VALUES, "shop": FACET_VALUES}  # of one width, as mechanisms have that could share noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user's rows: phrases, facet codes, vectors (rows, d)."""

    phrases: tuple[tuple[str, ...], ...]
    codes: tuple[int, ...]
    vectors: NDArray[np.float32]


def ordinary(count: int, *, seed: int, embedder: HashedEmbedder) -> list[Person]:
    """Users with one to three conversations about the words."""
    draw = np.random.default_rng(seed)
    homes = embedder.embed(WORDS)
    people = []
    for _ in range(count):
        about = draw.integers(len(WORDS), size=int(draw.choice([1, 1, 2, 3])))
        people.append(
            Person(
                phrases=tuple((WORDS[word], WORDS[(word + 1) % len(WORDS)], *_middling(draw)) for word in about),
                codes=tuple(int(code) for code in draw.integers(len(FACET_VALUES), size=len(about))),
                vectors=_unit(homes[about] + draw.normal(0, SPREAD, (len(about), WIDTH))),
            )
        )
    return people


def extreme(rows: int, *, embedder: HashedEmbedder) -> Person:
    """Everything at once: phrases near their threshold, every facet value, rows far from every place."""
    homes = embedder.embed(WORDS)
    said = (*MIDDLING, *WORDS)
    return Person(
        phrases=(said,) * rows,
        codes=tuple(row % len(FACET_VALUES) for row in range(rows)),
        vectors=_unit(homes[np.arange(rows) % len(WORDS)] - 0.9 * homes[(np.arange(rows) + 1) % len(WORDS)]),
    )


def epoch(people: Sequence[Person], facets: Mapping[str, Sequence[str]] = FACETS) -> BoundedEpoch:
    """People side by side, already within their bounds."""
    number: dict[str, int] = {}
    ids = [[number.setdefault(phrase, len(number)) for phrase in row] for one in people for row in one.phrases]
    rows = [len(one.codes) for one in people]
    codes = np.asarray([code for one in people for code in one.codes], np.int16)
    return BoundedEpoch(
        units=len(people),
        unit_of=np.repeat(np.arange(len(people)), rows).astype(np.int32),
        vectors=np.concatenate([np.zeros((0, WIDTH)), *(one.vectors for one in people)]).astype(np.float16),
        phrase_offsets=np.cumsum([0, *(len(row) for row in ids)]).astype(np.int64),
        phrase_ids=np.asarray([key for row in ids for key in row], np.int32),
        phrases=list(number),
        facets={
            facet: ((codes + place) % len(FACET_VALUES)).astype(np.int16) for place, facet in enumerate(facets)
        },  # not alike: what two facets shared would show in their difference
    )


def _middling(draw: np.random.Generator) -> tuple[str, ...]:
    return (MIDDLING[int(draw.integers(len(MIDDLING)))],) if draw.random() < HELD else ()


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
