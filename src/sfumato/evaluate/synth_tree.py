"""The known truth behind the synthetic corpus: its tree of topics, its languages, and how often each occurs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

DECAY = 0.8
"""Within an area the n-th topic weighs 1 / n^0.8."""

GUEST_ENGLISH = 0.08
"""Share of conversations in which somebody with another main language writes English."""

MAIN_LANGUAGES: Mapping[str, float] = {
    "en": 0.511,
    "es": 0.105,
    "zh": 0.08,
    "pt": 0.065,
    "fr": 0.06,
    "de": 0.055,
    "ja": 0.045,
    "ru": 0.035,
    "hi": 0.026,
    "ar": 0.018,
}

LEANINGS: Mapping[str, Mapping[str, float]] = {
    "software": {"zh": 1.5, "ru": 1.5, "hi": 1.4, "fr": 0.8, "ar": 0.6},
    "work": {"pt": 1.2, "hi": 1.3, "ja": 1.3, "ru": 0.7},
    "learning": {"es": 1.2, "zh": 1.2, "ar": 1.6, "de": 0.8},
    "home": {"de": 1.5, "fr": 1.3, "zh": 0.6, "hi": 0.6},
    "health": {"pt": 1.3, "ru": 1.2, "ja": 0.8},
    "affairs": {"de": 1.6, "fr": 1.2, "zh": 0.7, "ja": 0.7},
    "leisure": {"fr": 1.3, "ja": 1.4, "ar": 0.7},
    "people": {"es": 1.3, "ar": 1.5, "zh": 0.7},
}
"""How much more than their share speakers of a language ask about a domain (1 where nothing is said)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One leaf topic; weight is its share before languages lean to domains."""

    topic: str
    area: str
    domain: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Expected shares of conversations; each mapping (and each inner one) sums to 1."""

    topics: Mapping[str, float]
    languages: Mapping[str, float]
    languages_by_domain: Mapping[str, Mapping[str, float]]


def corpus_text(name: str) -> str:
    """One of the word lists shipped beside this module."""
    return files("sfumato.evaluate").joinpath("corpus", name).read_text("utf-8")


@cache
def leaves() -> tuple[Leaf, ...]:
    """Every leaf topic, in the order of the tree file; weights sum to 1."""
    raw: list[tuple[str, str, str, float]] = []
    domain = ""
    for line in corpus_text("tree.txt").splitlines():
        if row := re.fullmatch(r"  ([\w-]+) ([\d.]+): (.+)", line):
            area, weight, topics = row[1], float(row[2]), row[3].split()
            raw += [(topic, area, domain, weight / n**DECAY) for n, topic in enumerate(topics, 1)]
        elif line and not line.startswith("#"):
            domain = line
    total = sum(row[3] for row in raw)
    return tuple(Leaf(topic=t, area=a, domain=d, weight=w / total) for t, a, d, w in raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What a corpus is drawn from, codes in the order of MAIN_LANGUAGES and `leaves`.

    languages: (languages,) share of users by main language. topics: (languages, topics) P(topic | main language).
    guests: share of conversations in English by people of another main language.
    """

    languages: NDArray[np.float64]
    topics: NDArray[np.float64]
    guests: float


def mix(*, topics: int | None = None, languages: Collection[str] | None = None) -> Mix:
    """The mix of all topics and languages, or of the most asked topics and of some languages.

    Raises:
        InputError: no topic, or a language that the corpus does not speak.
    """
    spoken = set(MAIN_LANGUAGES) if languages is None else set(languages)
    if not spoken or not spoken <= set(MAIN_LANGUAGES):
        raise InputError(f"a synthetic corpus speaks one or more of {', '.join(MAIN_LANGUAGES)}")
    if topics is not None and topics < 1:
        raise InputError("a synthetic corpus needs at least one topic")
    shares = np.array([share if language in spoken else 0.0 for language, share in MAIN_LANGUAGES.items()])
    asked = {leaf.topic for leaf in sorted(leaves(), key=lambda leaf: -leaf.weight)[:topics]}
    weights = np.array(
        [
            [leaf.weight * LEANINGS[leaf.domain].get(language, 1.0) * (leaf.topic in asked) for leaf in leaves()]
            for language in MAIN_LANGUAGES
        ]
    )
    return Mix(
        languages=shares / shares.sum(),
        topics=weights / weights.sum(axis=1, keepdims=True),
        guests=GUEST_ENGLISH if "en" in spoken else 0.0,
    )


def distribution() -> Distribution:
    """The shares that `synthesize` draws from, exactly; a corpus of few users strays from them by chance."""
    whole = mix()
    joint = whole.topics * whole.languages[:, None]
    written = joint * (1 - whole.guests)
    written[0] = joint[0] + whole.guests * joint[1:].sum(axis=0)
    names = list(MAIN_LANGUAGES)
    domains = {leaf.domain for leaf in leaves()}
    members = {d: [i for i, leaf in enumerate(leaves()) if leaf.domain == d] for d in sorted(domains)}
    by_domain = {d: written[:, rows].sum(axis=1) / written[:, rows].sum() for d, rows in members.items()}
    return Distribution(
        topics={leaf.topic: float(p) for leaf, p in zip(leaves(), written.sum(axis=0), strict=True)},
        languages={name: float(p) for name, p in zip(names, written.sum(axis=1), strict=True)},
        languages_by_domain={
            d: {name: float(p) for name, p in zip(names, row, strict=True)} for d, row in by_domain.items()
        },
    )
