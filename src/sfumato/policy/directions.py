"""Which way each field of the schema is tighter: the one table that inheritance and comparison both obey."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel

from sfumato.policy.schema import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.policy.schema import FacetSection

Verdict = Literal["stronger", "weaker", "incomparable", "same"]
MIRROR: Mapping[Verdict, Verdict] = {
    "stronger": "weaker", "weaker": "stronger", "incomparable": "incomparable", "same": "same",
}  # fmt: skip


class Direction(Enum):
    """How two values of a field compare. FIXED: no child may change it. FREE: it has no privacy meaning."""

    SMALLER = "smaller is tighter"
    LARGER = "larger is tighter"
    FEWER = "fewer is tighter"
    SHORTER = "shorter is tighter"
    RANKED = "the tightest stands first"
    FIXED = "may not be changed by extends"
    FREE = "no privacy meaning"
    INCOMPARABLE = "changes what is measured"


_D = Direction
# A change of unit, epoch or mode changes what every other number means, so it is incomparable and never an override.
# Bounds: less of one person counts at the same epsilon. `facets` compare by name; `*` stands for any of a list.
DIRECTIONS: Mapping[str, Direction] = {
    "apiVersion": _D.FIXED,
    "kind": _D.FIXED,
    "metadata.name": _D.FREE,
    "metadata.owner": _D.FREE,
    "metadata.description": _D.FREE,
    "unit": _D.FIXED,
    "epoch": _D.FIXED,
    "guarantee.mode": _D.FIXED,
    "guarantee.budget.epsilon": _D.SMALLER,
    "guarantee.budget.delta": _D.SMALLER,
    "guarantee.budget.release": _D.SMALLER,
    "guarantee.budget.queries": _D.SMALLER,
    "guarantee.yearly.epsilon": _D.SMALLER,
    "guarantee.yearly.delta": _D.SMALLER,
    "contributions.conversations_per_user": _D.SMALLER,
    "contributions.phrases_per_user": _D.SMALLER,
    "contributions.topics_per_user": _D.SMALLER,
    "thresholds.min_users": _D.LARGER,
    "thresholds.min_conversations": _D.LARGER,
    "input.conversation_id": _D.FREE,
    "input.user_id": _D.FREE,
    "input.messages": _D.FREE,
    "input.role": _D.FREE,
    "input.content": _D.FREE,
    "input.text": _D.FREE,
    "input.timestamp": _D.FREE,
    "input.attributes": _D.FREE,
    "input.speaker": _D.FREE,
    "input.line_bytes": _D.FREE,
    "extraction.provider": _D.INCOMPARABLE,
    "embedding.model": _D.INCOMPARABLE,
    "embedding.sha256": _D.INCOMPARABLE,
    "embedding.path": _D.FREE,  # wherever the weights lie, their hash must fit
    "facets": _D.FEWER,
    "facets.*.name": _D.FEWER,  # the name is what makes it that facet: renamed is one gone and one more
    "facets.*.kind": _D.INCOMPARABLE,
    "facets.*.domain": _D.INCOMPARABLE,
    "facets.*.attribute": _D.INCOMPARABLE,
    "topics.leaves": _D.INCOMPARABLE,
    "naming.evidence": _D.INCOMPARABLE,
    "auditor.provider": _D.INCOMPARABLE,
    "auditor.on_error": _D.INCOMPARABLE,
    "retention.raw": _D.INCOMPARABLE,
    "retention.raw_ttl": _D.SHORTER,
    "retention.derived": _D.RANKED,
    "retention.derived_ttl": _D.SHORTER,
    "access.analyst": _D.FEWER,
    "access.auditor": _D.FEWER,
    "access.ingester": _D.FEWER,
    "access.admin": _D.FEWER,
    "override": _D.FREE,  # what it allows shows in the fields it names
    "override.*.field": _D.FREE,
    "override.*.reason": _D.FREE,
    "override.*.approved_by": _D.FREE,
    "override.*.expires": _D.FREE,
}
RANKS: Mapping[str, tuple[str, ...]] = {"retention.derived": ("discard_after_release", "keep_until_ttl")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of two policies; `verdict` is of the second against the first."""

    field: str
    direction: Direction
    verdict: Verdict
    before: object
    after: object


def schema_fields(model: type[BaseModel] = Policy, prefix: str = "") -> Iterator[str]:
    """Every field of the schema that holds a value, as it is written in `DIRECTIONS`."""
    for name, info in model.model_fields.items():
        here = f"{prefix}{name}"
        inner = [info.annotation, *get_args(info.annotation)]
        below = next((item for item in inner if isinstance(item, type) and issubclass(item, BaseModel)), None)
        if below is None or below is not info.annotation:
            yield here
        if below is not None:
            yield from schema_fields(below, f"{here}." if below is info.annotation else f"{here}.*.")


def compare(first: Policy, second: Policy) -> tuple[Change, ...]:
    """Every field of two resolved policies, the same ones too, in the order of the schema; facets one by one."""
    found: list[Change] = []
    for field, direction in DIRECTIONS.items():
        if field == "facets":
            found += _facets(first, second)
        elif "*" not in field:
            before, after = _value(first, field), _value(second, field)
            found.append(
                Change(
                    field=field, direction=direction, verdict=_verdict(field, before, after), before=before, after=after
                )
            )
    return tuple(found)


def overall(changes: tuple[Change, ...]) -> Verdict:
    """All fields together: what is stronger here and weaker there is incomparable."""
    verdicts = {change.verdict for change in changes} - {"same"}
    if not verdicts:
        return "same"
    return verdicts.pop() if len(verdicts) == 1 else "incomparable"


def hours(duration: str) -> int:
    """A duration of the schema, such as 24h or 30d, in hours."""
    return int(duration[:-1]) * (24 if duration.endswith("d") else 1)


def name_of(facet: FacetSection) -> str:
    """A facet as comparisons and overrides call it."""
    return f"facets.{facet.name}"


def _value(policy: Policy, field: str) -> Any:  # noqa: ANN401 - any value of the schema
    value: Any = policy
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _verdict(field: str, before: Any, after: Any) -> Verdict:  # noqa: ANN401 - any value of the schema
    direction = DIRECTIONS[field]
    if direction is Direction.FREE or before == after:
        return "same"
    if direction is Direction.FEWER:
        return _sets(frozenset(before), frozenset(after))
    if direction is Direction.SHORTER:
        return _ordered(hours(before), hours(after))
    if direction is Direction.RANKED:
        return _ordered(RANKS[field].index(before), RANKS[field].index(after))
    if direction is Direction.SMALLER:
        return _ordered(before, after)
    return _ordered(after, before) if direction is Direction.LARGER else "incomparable"


def _ordered(before: float, after: float) -> Verdict:
    """Smaller is tighter."""
    if before == after:
        return "same"
    return "stronger" if after < before else "weaker"


def _sets(before: frozenset[str], after: frozenset[str]) -> Verdict:
    if before == after:
        return "same"
    if after < before:
        return "stronger"
    return "weaker" if before < after else "incomparable"


def _facets(first: Policy, second: Policy) -> Iterator[Change]:
    """A facet gone is stronger, one more is weaker, one that asks otherwise is incomparable."""
    before = {name_of(facet): _asked(facet) for facet in first.facets}
    after = {name_of(facet): _asked(facet) for facet in second.facets}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        verdict: Verdict = "same" if old == new else "incomparable"
        if old is None or new is None:
            verdict = "weaker" if old is None else "stronger"
        yield Change(field=name, direction=Direction.FEWER, verdict=verdict, before=old, after=new)


def _asked(facet: FacetSection) -> str:
    """What a facet asks, however it is spelled."""
    if not isinstance(facet.domain, tuple):
        return "computed"
    return f"attribute {facet.attribute or facet.name}, one of {', '.join(facet.domain)}"
