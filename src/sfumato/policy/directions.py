"""Which way each field of the schema is tighter: the one table that inheritance and comparison both obey."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel

from sfumato.policy.schema import WEIGHTS, Policy
from sfumato.policy.schema_facets import TaxonomySection
from sfumato.policy.schema_models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sfumato.policy.schema_facets import FacetSection

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
    NEARER = "on this machine is tighter"
    STATED = "stated is tighter than left open"
    PINNED = "pinned by a hash is tighter; another tree changes what is measured"


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
    "signature_required": _D.LARGER,
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
    "extraction.model": _D.INCOMPARABLE,
    "extraction.base_url": _D.NEARER,
    "extraction.provider": _D.RANKED,
    "extraction.about": _D.INCOMPARABLE,
    "extraction.window": _D.SMALLER,
    "extraction.batch": _D.SMALLER,  # a batch lies with the provider until it is fetched
    "extraction.concurrency": _D.FREE,
    "extraction.region": _D.STATED,
    "embedding.model": _D.INCOMPARABLE,
    "embedding.sha256": _D.INCOMPARABLE,
    "embedding.path": _D.FREE,  # wherever the weights lie, their hash must fit
    "screen": _D.INCOMPARABLE,
    "screen.*.ask": _D.INCOMPARABLE,
    "facets": _D.FEWER,
    "facets.*.name": _D.FEWER,  # the name is what makes it that facet: renamed is one gone and one more
    "facets.*.kind": _D.INCOMPARABLE,
    "facets.*.domain": _D.INCOMPARABLE,
    "facets.*.attribute": _D.INCOMPARABLE,
    "facets.*.ask": _D.INCOMPARABLE,
    "facets.*.range": _D.INCOMPARABLE,
    "facets.*.bins": _D.INCOMPARABLE,
    "facets.*.at_most": _D.SMALLER,
    "facets.*.taxonomy": _D.PINNED,
    **{f"facets.*.taxonomy.*.{key}": _D.INCOMPARABLE for key in TaxonomySection.model_fields},
    "facets.*.taxonomy.*.sha256": _D.STATED,
    "facets.*.taxonomy.*.source": _D.FREE,  # what people are told
    "topics.leaves": _D.INCOMPARABLE,
    "topics.taxonomy": _D.PINNED,
    **{f"topics.taxonomy.*.{key}": _D.INCOMPARABLE for key in TaxonomySection.model_fields},
    "topics.taxonomy.*.sha256": _D.STATED,
    "topics.taxonomy.*.source": _D.FREE,
    "topics.at_most": _D.SMALLER,
    "naming.model": _D.INCOMPARABLE,
    "naming.base_url": _D.NEARER,
    "naming.provider": _D.RANKED,
    "naming.evidence": _D.RANKED,
    "auditor.model": _D.INCOMPARABLE,
    "auditor.base_url": _D.NEARER,
    "auditor.provider": _D.RANKED,
    "auditor.rubric": _D.INCOMPARABLE,
    "auditor.minimum": _D.LARGER,
    "auditor.on_error": _D.INCOMPARABLE,
    "auditor.on_denial": _D.RANKED,
    "spend.usd_per_epoch": _D.FREE,
    "retention.raw": _D.INCOMPARABLE,
    "retention.raw_ttl": _D.SHORTER,
    "retention.raw_key": _D.RANKED,
    "retention.derived": _D.RANKED,
    "retention.derived_ttl": _D.SHORTER,
    "queries.live": _D.SMALLER,
    "queries.measures": _D.FEWER,
    "queries.group_by": _D.FEWER,
    "queries.epsilon_per_query": _D.SMALLER,  # fewer, surer answers come of the same budget: each says more of a cell
    "queries.per_analyst.epsilon": _D.SMALLER,
    "queries.most_per_minute": _D.SMALLER,
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
RANKS: Mapping[str, tuple[str, ...]] = {
    "extraction.provider": ("extractive", "anthropic"),
    "naming.provider": ("phrases", "anthropic"),
    "naming.evidence": ("released_phrases", "private_summaries"),
    "auditor.provider": ("anthropic", "detectors"),  # a model reads after the detectors, not in their place
    "auditor.on_denial": ("drop", "coarser"),
    "retention.raw_key": ("memory", "stored"),
    "retention.derived": ("discard_after_release", "keep_until_ttl"),
}
# Where no model is asked, its settings mean nothing; from none to one, the provider is what has changed.
WITHOUT_MODEL: Mapping[str, str] = {"extraction": "extractive", "naming": "phrases", "auditor": "detectors"}
OF_A_MODEL: Mapping[str, frozenset[str]] = {
    "extraction": frozenset({"model", "base_url", "about", "window", "batch", "concurrency", "region"}),
    "naming": frozenset({"model", "base_url"}),
    "auditor": frozenset({"model", "base_url", "rubric", "minimum"}),
}
ANTHROPIC = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of two policies; `verdict` is of the second against the first. before, after: as they are shown."""

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
            verdict: Verdict = "same" if _moot(first, second, field) else _verdict(field, before, after)
            old, new = _plain(before), _plain(after)
            found.append(Change(field=field, direction=direction, verdict=verdict, before=old, after=new))
    return tuple(found)


def overall(changes: tuple[Change, ...]) -> Verdict:
    """All fields together."""
    return combined(change.verdict for change in changes)


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """What is stronger here and weaker there is incomparable."""
    found = set(verdicts) - {"same"}
    if not found:
        return "same"
    return found.pop() if len(found) == 1 else "incomparable"


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


def _plain(value: object) -> object:
    """A section that may be left out, such as `screen`, as one line; every other value as it is."""
    return _line(value.model_dump(mode="json", exclude_none=True)) if isinstance(value, BaseModel) else value


def _moot(first: Policy, second: Policy, field: str) -> bool:
    """Whether another field decides: between two that ask no model, which one; of another vector model, its hash."""
    if field == "embedding.sha256" and first.embedding.model != second.embedding.model:
        return all(one.embedding.sha256 == WEIGHTS[one.embedding.model] for one in (first, second))
    section, _, name = field.partition(".")
    if name not in OF_A_MODEL.get(section, ()):
        return False
    return WITHOUT_MODEL[section] in {_value(first, section).provider, _value(second, section).provider}


def _verdict(field: str, before: Any, after: Any) -> Verdict:  # noqa: ANN401 - any value of the schema
    direction = DIRECTIONS[field]
    if before == after:
        return "same"
    if direction is Direction.RANKED:
        before, after = (RANKS[field].index(value) for value in (before, after))
    return COMPARISONS[direction](before, after)


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


def _nearer(before: str | None, after: str | None) -> Verdict:
    """Two addresses: one on this machine sends nothing away. None is Anthropic's own."""
    old, new = before or ANTHROPIC, after or ANTHROPIC
    if old == new or (is_loopback(old) and is_loopback(new)):
        return "same"
    if is_loopback(new):
        return "stronger"
    return "weaker" if is_loopback(old) else "incomparable"


def _stated(before: object, after: object) -> Verdict:
    """Two that differ: a limit where there was none is tighter, another limit is neither."""
    if before is None or after is None:
        return "stronger" if before is None else "weaker"
    return "incomparable"


def _pinned(
    before: TaxonomySection | Mapping[str, Any] | None, after: TaxonomySection | Mapping[str, Any] | None
) -> Verdict:
    """Two trees that differ: the same one with a hash where it had none is tighter."""
    if before is None or after is None:
        return "incomparable"
    old, new = (dict(one) for one in (before, after))
    hashes = [tree.pop("sha256", None) for tree in (old, new)]
    for tree in (old, new):
        tree.pop("source", None)
    if old != new:
        return "incomparable"
    return "same" if hashes[0] == hashes[1] else _stated(*hashes)


COMPARISONS: Mapping[Direction, Callable[[Any, Any], Verdict]] = {
    _D.SMALLER: _ordered,
    _D.LARGER: lambda before, after: _ordered(after, before),
    _D.FEWER: lambda before, after: _sets(frozenset(before), frozenset(after)),
    _D.SHORTER: lambda before, after: _ordered(hours(before), hours(after)),
    _D.RANKED: _ordered,
    _D.FIXED: lambda _before, _after: "incomparable",
    _D.FREE: lambda _before, _after: "same",
    _D.INCOMPARABLE: lambda _before, _after: "incomparable",
    _D.NEARER: _nearer,
    _D.STATED: _stated,
    _D.PINNED: _pinned,
}


def _facets(first: Policy, second: Policy) -> Iterator[Change]:
    """A facet gone is stronger, one more is weaker, one that asks otherwise is incomparable."""
    before = {name_of(facet): _asked(facet) for facet in first.facets}
    after = {name_of(facet): _asked(facet) for facet in second.facets}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            verdict: Verdict = "weaker" if old is None else "stronger"
        else:
            verdict = _parts(old, new)
        told = [None if parts is None else _line(parts) for parts in (old, new)]
        yield Change(field=name, direction=Direction.FEWER, verdict=verdict, before=told[0], after=told[1])


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Verdict:
    """One facet, asked in two ways: part by part."""
    if old.keys() != new.keys():
        return "incomparable"
    return combined(_verdict(f"facets.*.{part}", old[part], new[part]) for part in old)


def _asked(facet: FacetSection) -> dict[str, Any]:
    """The parts of a facet that decide what it asks, however it is spelled."""
    if facet.is_computed:
        return {"kind": "computed"}
    parts = facet.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    if facet.kind == "category" and not facet.is_asked:
        return parts | {"attribute": facet.read_from}
    return parts | ({"at_most": facet.several} if facet.kind in {"multi_label", "path"} else {})


def _line(parts: Mapping[str, object]) -> str:
    """Parts of a section, as one line; a kind needs no name before it."""
    return "; ".join(_item(value) if part == "kind" else f"{part} {_item(value)}" for part, value in parts.items())


def _item(value: object) -> str:
    if isinstance(value, dict):
        return f"({_line(value)})"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
