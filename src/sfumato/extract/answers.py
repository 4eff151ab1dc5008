"""What of a model's reply is taken: closed answers that lie in their domain, labels and a summary in their form.

Nothing here raises, whatever came: an answer that is out of domain, of a wrong type, missing or failed is `unknown`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.extract.facets import YES, bin_of
from sfumato.extract.form import ANSWER, LABELS, MOST_LABELS, SUMMARY, options
from sfumato.extract.phrases import label
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from sfumato.extract.facets import Facet
    from sfumato.model.prompt import Reply
    from sfumato.model.strict_json import Json

SUMMARY_CHARACTERS = 400
_READ_SUMMARY = 4_000  # characters
_READ_ITEMS = 100  # of a list: more than any question allows


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer(Private):
    """One conversation's answers.

    summary: one line of at most 400 characters, or empty. labels: at most 3, as `phrases.label` leaves them, distinct.
    codes: for each asked facet its codes, one at least; `unknown` stands alone.
    """

    summary: str
    labels: tuple[str, ...]
    codes: Mapping[str, tuple[int, ...]]


def parse(reply: Reply | None, facets: Sequence[Facet]) -> Answer:
    """The reply to the form of all facets, clipped to what may be; None stands for a form that was never sent."""
    fields = _fields(reply)
    return Answer(
        summary=_summary(fields.get(SUMMARY)),
        labels=_labels(fields.get(LABELS)),
        codes={
            facet.name: tuple(_codes(facet, fields.get(facet.name))) or (facet.unknown,)
            for facet in facets
            if facet.is_asked
        },
    )


def lets_through(reply: Reply | None) -> bool:
    """Whether the screener's answer is `yes`, exactly."""
    return _fields(reply).get(ANSWER) == YES


def chosen(reply: Reply, name: str, shown: Container[str], *, at_most: int) -> list[str]:
    """The distinct names under a property that were among those shown, in order, at most so many."""
    return _members(_fields(reply).get(name), shown, several=at_most > 1)[:at_most]


def _fields(reply: Reply | None) -> Mapping[str, Json]:
    return {} if reply is None or reply.failure is not None or reply.fields is None else reply.fields


def _codes(facet: Facet, value: Json) -> Iterator[int]:
    """Codes of what lies in the domain; nothing else."""
    if facet.taxonomy is not None:
        shown = options(facet.taxonomy, facet.taxonomy.children(None))
        found = _members(value, shown, several=facet.at_most > 1)[: facet.at_most]
        yield from (facet.taxonomy.index(shown[name]) for name in found)
    elif facet.kind == "number":
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
            yield bin_of(facet, value)
    else:
        if facet.kind == "scale" and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(int(value)) if _is_finite(value) and int(value) == value else None
        several = facet.kind == "multi_label"
        found = _members(value, facet.domain[:-1], several=several)[: facet.at_most]
        yield from (facet.domain.index(name) for name in found)


def _members(value: Json, domain: Container[str], *, several: bool) -> list[str]:
    """The strings of a value that stand in the domain, each once: of a list, or of one string, never of the other."""
    if not several:
        return [value] if isinstance(value, str) and value in domain else []
    items = value[:_READ_ITEMS] if isinstance(value, list) else []
    return list(dict.fromkeys(item for item in items if isinstance(item, str) and item in domain))


def _is_finite(value: float) -> bool:
    """An integer too large for a float is no answer to any question."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _labels(value: Json) -> tuple[str, ...]:
    items = value[:_READ_ITEMS] if isinstance(value, list) else []
    found = dict.fromkeys(label(item) for item in items if isinstance(item, str))
    return tuple(item for item in found if item)[:MOST_LABELS]


def _summary(value: Json) -> str:
    if not isinstance(value, str):
        return ""
    printable = "".join(sign if sign.isprintable() else " " for sign in value[:_READ_SUMMARY])
    return " ".join(printable.split())[:SUMMARY_CHARACTERS].rstrip()
