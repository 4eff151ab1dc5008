"""Facets: the closed questions asked of every conversation, each answered by a place in a domain fixed beforehand."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal, get_args

from sfumato.extract.language import LANGUAGES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sfumato.model.conversation import Conversation

Computed = Literal["language", "turns", "length", "hour"]
Kind = Literal["language", "turns", "length", "hour", "category"]

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
    """One declared facet. domain: its values, the last always `unknown`. attribute: where a category is read."""

    name: str
    kind: Kind
    domain: tuple[str, ...]
    attribute: str | None = None

    def __post_init__(self) -> None:
        if not self.domain or self.domain[-1] != UNKNOWN or len(set(self.domain)) != len(self.domain):
            raise ValueError(f"a facet's domain needs distinct values, the last of them `{UNKNOWN}`")
        if (self.kind == "category") == (self.attribute is None):
            raise ValueError("a category is read from an attribute, and nothing else is")
        if self.kind != "category" and self.domain != _DOMAINS[self.kind]:
            raise ValueError(f"the domain of {self.kind} is fixed: take it from domain_of")


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


def category(name: str, values: Sequence[str], *, attribute: str | None = None) -> Facet:
    """The facet that reads one attribute (default: of the facet's own name), with the values a policy declares."""
    return Facet(name=name, kind="category", domain=(*values, UNKNOWN), attribute=attribute or name)


def code(facet: Facet, conversation: Conversation, *, text: str, language: str) -> int:
    """Where in the facet's domain this conversation falls; whatever is missing or undeclared is the last, `unknown`.

    text, language: the conversation's first request, and its language as `detect` gave it.
    """
    unknown = len(facet.domain) - 1
    if facet.kind == "language":
        return _LANGUAGE_CODES.get(language, unknown)
    if facet.kind == "turns":
        return _bucket(_TURNS, sum(message.role == "user" for message in conversation.messages))
    if facet.kind == "length":
        return _bucket(_LENGTHS, len(text))
    if facet.kind == "hour":
        return unknown if conversation.timestamp is None else _utc_hour(conversation.timestamp)
    value = conversation.attributes.get(facet.attribute or facet.name)
    return facet.domain.index(value) if value in facet.domain else unknown


def _bucket(starts: dict[int, str], value: int) -> int:
    """The last bucket whose start is reached; below the first, the place of `unknown`."""
    place = bisect_right(tuple(starts), value) - 1
    return place if place >= 0 else len(starts)


def _utc_hour(moment: datetime) -> int:
    """A moment without a zone is taken as UTC."""
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).hour
