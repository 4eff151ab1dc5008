"""Facets: the closed questions asked of every conversation, each answered by a place in a domain fixed beforehand."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sfumato.extract.language import LANGUAGES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from sfumato.model.conversation import Conversation
    from sfumato.model.taxonomy import Taxonomy

Computed = Literal["language", "turns", "length", "hour"]
Kind = Literal[
    "language", "turns", "length", "hour", "category", "multi_label", "scale", "number", "yes_no", "path"
]  # fmt: skip

YES, NO = "yes", "no"
LARGEST_DOMAIN = 2**15  # codes are int16
_TURNS = {1: "1", 2: "2", 3: "3-5", 6: "6-10", 11: "11+"}
_LENGTHS = {1: "1-49", 50: "50-199", 200: "200-999", 1000: "1000-3999", 4000: "4000+"}
_DOMAINS: dict[str, tuple[str, ...]] = {
    "language": (*LANGUAGES, UNKNOWN),
    "turns": (*_TURNS.values(), UNKNOWN),
    "length": (*_LENGTHS.values(), UNKNOWN),
    "hour": (*(f"{hour:02}" for hour in range(24)), UNKNOWN),
}
_LANGUAGE_CODES = {language: code for code, language in enumerate(_DOMAINS["language"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One declared facet; the functions below make each kind.

    domain: its values, the last always `unknown`. attribute: where a category is read. ask: the question, where a model
    answers. at_most: values that one conversation may have. edges: of a number's bins. taxonomy: of a path; its domain
    is the ids of the nodes.
    """

    name: str
    kind: Kind
    domain: tuple[str, ...]
    attribute: str | None = None
    ask: str | None = None
    at_most: int = 1
    edges: tuple[float, ...] = ()
    taxonomy: Taxonomy | None = None

    def __post_init__(self) -> None:
        """Refuse what is open, or has a part that its kind has no use for. Raises ValueError."""
        if not self.domain or self.domain[-1] != UNKNOWN or len(set(self.domain)) != len(self.domain):
            raise ValueError(f"a facet's domain needs distinct values, the last of them `{UNKNOWN}`")
        if len(self.domain) > LARGEST_DOMAIN:
            raise ValueError(f"a facet's domain has at most {LARGEST_DOMAIN} values")
        if (self.kind == "category" and self.ask is None) == (self.attribute is None):
            raise ValueError("a category is read from an attribute or asked, and nothing else is read from one")
        if self.is_asked == (self.ask is None):
            raise ValueError("what a model answers has a question, and nothing else has")
        if self.kind in _DOMAINS and self.domain != _DOMAINS[self.kind]:
            raise ValueError(f"the domain of {self.kind} is fixed: take it from domain_of")
        most = len(self.domain) - 1 if self.kind in {"multi_label", "path"} else 1
        if not 1 <= self.at_most <= max(1, most):
            raise ValueError("at_most is from 1 to the number of values, and 1 for all but multi_label and path")
        self._matches()

    def _matches(self) -> None:
        """The domain is the one that follows from the kind's own parts."""
        if (self.kind == "number") != bool(self.edges) or (self.kind == "path") != (self.taxonomy is not None):
            raise ValueError("a number has edges, a path a taxonomy, and nothing else has")
        if any(not low < high for low, high in pairwise((-math.inf, *self.edges, math.inf))):
            raise ValueError("the edges of the bins are finite and ascend")
        follows = self.domain[:-1]
        if self.kind == "number":
            follows = _bins(self.edges)
        elif self.kind == "yes_no":
            follows = (YES, NO)
        elif self.taxonomy is not None:
            follows = tuple(node.id for node in self.taxonomy.nodes)
        elif self.kind == "scale":
            first = int(self.domain[0])
            follows = _steps(first, first + len(self.domain) - 2)
        if self.domain[:-1] != follows:
            raise ValueError(f"the domain of this {self.kind} is another: make it with the function of that name")

    @property
    def is_asked(self) -> bool:
        """Whether a model answers it; a category may also be read from an attribute."""
        return self.kind not in _DOMAINS and not (self.kind == "category" and self.attribute is not None)

    @property
    def unknown(self) -> int:
        """The code of `unknown`, the last."""
        return len(self.domain) - 1


def domain_of(kind: Computed) -> tuple[str, ...]:
    """The domain of a computed facet, the same in every deployment; its last value is `unknown`.

    `turns` counts the messages of role `user`, `length` the characters of the first request (4,000 are read),
    `hour` is of the conversation's start, UTC.
    """
    return _DOMAINS[kind]


def computed(kind: Computed) -> Facet:
    """The facet that computes `kind`, under that name. Raises ValueError for a kind that nothing computes."""
    if kind not in get_args(Computed):
        raise ValueError(f"nothing computes this facet: the kinds are {', '.join(get_args(Computed))}")
    return Facet(name=kind, kind=kind, domain=_DOMAINS[kind])


def category(name: str, values: Sequence[str], *, attribute: str | None = None, ask: str | None = None) -> Facet:
    """One of the declared values: asked, or read from one attribute (default: of the facet's own name)."""
    source = (attribute or name) if ask is None else attribute
    return Facet(name=name, kind="category", domain=(*values, UNKNOWN), attribute=source, ask=ask)


def multi_label(name: str, values: Sequence[str], *, ask: str, at_most: int | None = None) -> Facet:
    """Up to `at_most` of the declared values (default: any number of them)."""
    most = len(values) if at_most is None else min(at_most, len(values))
    return Facet(name=name, kind="multi_label", domain=(*values, UNKNOWN), ask=ask, at_most=most)


def scale(name: str, lowest: int, highest: int, *, ask: str) -> Facet:
    """A whole number from lowest to highest, both included."""
    return Facet(name=name, kind="scale", domain=(*_steps(lowest, highest), UNKNOWN), ask=ask)


def number(name: str, edges: Sequence[float], *, ask: str) -> Facet:
    """A number, of which only its bin is kept: `<a`, `a-b` (a included, b not), ..., `>=c` for the edges a < b < c."""
    held = tuple(map(float, edges))
    return Facet(name=name, kind="number", domain=(*_bins(held), UNKNOWN), ask=ask, edges=held)


def yes_no(name: str, *, ask: str) -> Facet:
    """`yes` or `no`."""
    return Facet(name=name, kind="yes_no", domain=(YES, NO, UNKNOWN), ask=ask)


def path(name: str, taxonomy: Taxonomy, *, ask: str, at_most: int = 1) -> Facet:
    """Up to `at_most` nodes of a declared taxonomy, each found from the top, level by level; by their ids."""
    domain = (*(node.id for node in taxonomy.nodes), UNKNOWN)
    most = min(at_most, len(taxonomy.nodes))
    return Facet(name=name, kind="path", domain=domain, ask=ask, at_most=most, taxonomy=taxonomy)


def code(facet: Facet, conversation: Conversation, *, text: str, language: str) -> int:
    """Where in the facet's domain this conversation falls; whatever is missing or undeclared is the last, `unknown`.

    text, language: the conversation's first request, and its language as `detect` gave it. What only a model could
    answer is `unknown` here.
    """
    if facet.kind == "language":
        return _LANGUAGE_CODES.get(language, facet.unknown)
    if facet.kind == "turns":
        return _bucket(_TURNS, sum(message.role == "user" for message in conversation.messages))
    if facet.kind == "length":
        return _bucket(_LENGTHS, len(text))
    if facet.kind == "hour":
        return facet.unknown if conversation.timestamp is None else _utc_hour(conversation.timestamp)
    value = None if facet.attribute is None else conversation.attributes.get(facet.attribute)
    return facet.domain.index(value) if value in facet.domain else facet.unknown


def bin_of(facet: Facet, value: float) -> int:
    """The code of a finite number's bin."""
    return bisect_right(facet.edges, value)


def column(facet: Facet, rows: Sequence[Sequence[int]]) -> NDArray[np.int16]:
    """Codes of n conversations, each at least one and at most `at_most`: (n,), or (n, at_most) filled up with -1."""
    if facet.at_most == 1:
        return np.array([codes[0] for codes in rows], dtype=np.int16)
    wide = np.full((len(rows), facet.at_most), -1, dtype=np.int16)
    for row, codes in enumerate(rows):
        wide[row, : len(codes)] = codes
    return wide


def _steps(lowest: int, highest: int) -> tuple[str, ...]:
    return tuple(map(str, range(lowest, highest + 1)))


def _bins(edges: tuple[float, ...]) -> tuple[str, ...]:
    if not edges:
        raise ValueError("a number has at least one edge")
    shown = [str(int(edge)) if edge.is_integer() and abs(edge) < 1e15 else repr(edge) for edge in edges]  # noqa: PLR2004 - beyond, a float's digits are not its own
    return (f"<{shown[0]}", *(f"{low}-{high}" for low, high in pairwise(shown)), f">={shown[-1]}")


def _bucket(starts: dict[int, str], value: int) -> int:
    """The last bucket whose start is reached; below the first, the place of `unknown`."""
    place = bisect_right(tuple(starts), value) - 1
    return place if place >= 0 else len(starts)


def _utc_hour(moment: datetime) -> int:
    """A moment without a zone is taken as UTC."""
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).hour
