"""Stub epochs for audits: a crowd around a few places, and the user who moves every statistic as far as allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.hashed import WIDTH, HashedEmbedder
from sfumato.extract.language import UNKNOWN
from sfumato.model.taxonomy import Taxonomy
from sfumato.planning import TOPIC
from sfumato.privacy.bounds import BoundedEpoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.planning import ReleasePlan

WORDS = ("card", "flight", "recipe", "tyre", "song", "weather")
MIDDLING = ("obelisk", "quartz", "sonnet")  # held by about as many as a threshold asks for
HELD = 0.25  # share of users who propose one of them
SPREAD = 0.05
FACET_VALUES = ("one", "two", UNKNOWN)
PLACES = len(WORDS) + 1  # that rows are about: one for each word, and one where nobody is
FACETS = {"plan": FACET_VALUES, "shop": FACET_VALUES}  # of one width, as mechanisms have that could share noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user's rows: phrases, facet codes, vectors (rows, d), and the places that each is about, the first first."""

    phrases: tuple[tuple[str, ...], ...]
    codes: tuple[int, ...]
    vectors: NDArray[np.float32]
    places: tuple[tuple[int, ...], ...]


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
                places=tuple((int(word),) for word in about),
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
        places=tuple(tuple((row + place) % len(WORDS) for place in range(len(WORDS))) for row in range(rows)),
    )


def apart(rows: int, *, phrase: str, embedder: HashedEmbedder) -> Person:
    """One phrase and nothing else, at the place where nobody of the crowd is."""
    return Person(
        phrases=((phrase,),) * rows,
        codes=tuple(row % len(FACET_VALUES) for row in range(rows)),
        vectors=np.repeat(embedder.embed([phrase]), rows, axis=0),
        places=((len(WORDS),),) * rows,
    )


def epoch(people: Sequence[Person], plan: ReleasePlan, facets: Mapping[str, Sequence[str]] = FACETS) -> BoundedEpoch:
    """People side by side, already within their bounds; where the plan declares topics, as a model would place them."""
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
        }  # not alike: what two facets shared would show in their difference
        | ({} if plan.taxonomy is None else {TOPIC: _nodes(people, plan.taxonomy, plan.at_most)}),
    )


def branches(taxonomy: Taxonomy) -> Taxonomy:
    """The leaves of the places and what stands above them: nobody of a crowd is anywhere else in a declared tree."""
    leaves = [taxonomy.nodes[leaf(taxonomy, place)].id for place in range(PLACES)]
    kept = {node for one in leaves for node in taxonomy.path(one)}
    return Taxonomy(nodes=tuple(node for node in taxonomy.nodes if node.id in kept), digest=taxonomy.digest)


def leaf(taxonomy: Taxonomy, place: int) -> int:
    """Where a place lies in a declared taxonomy: the code of a leaf, and those of different places far apart."""
    leaves = taxonomy.leaves()
    return taxonomy.index(leaves[place * len(leaves) // PLACES])


def _nodes(people: Sequence[Person], taxonomy: Taxonomy, at_most: int) -> NDArray[np.int16]:
    """(rows,) codes of the leaves that rows are about, or (rows, at_most) filled up with -1."""
    code = [leaf(taxonomy, place) for place in range(PLACES)]
    rows = [[code[place] for place in row[:at_most]] for one in people for row in one.places]
    filled = np.asarray([row + [-1] * (at_most - len(row)) for row in rows], np.int16)
    return filled[:, 0] if at_most == 1 else filled


def _middling(draw: np.random.Generator) -> tuple[str, ...]:
    return (MIDDLING[int(draw.integers(len(MIDDLING)))],) if draw.random() < HELD else ()


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
