"""The release document `sfumato.release/1`: a Release as canonical JSON, and back, strictly and for ever."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast, get_args

from sfumato.errors import InputError
from sfumato.model.guarantee import NANO, Guarantee, Mechanism
from sfumato.model.release import FORMAT, Estimate, FacetCount, ModelUse, PhraseCount, Release, Role, Topic, Verdict
from sfumato.model.strict_json import Json, JsonObject, Node, canonical_parts, dumps, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfumato.model.guarantee import Mode, Unit

RELEASE_ID = "rel_[0-9a-f]{20}"
TOPIC_ID = "[A-Za-z0-9_.-]{1,64}"
Kind = Literal["discrete_gaussian", "discrete_gaussian_threshold"]
_SHARE_PLACES = 6
_TOP = ("format", "id", "dataset", "epoch", "created", "policy", "guarantee", "totals", "facets", "topics", "audit")


def release_id(document: Mapping[str, Json]) -> str:
    """`rel_` and 20 hexadecimal digits of the SHA-256 of the canonical document without `id` and `signature`."""
    return id_of_parts(canonical_parts(dict(document)))


def id_of_parts(parts: Mapping[str, bytes]) -> str:
    """The same from the document's canonical parts, where they are at hand."""
    content = joined({key: part for key, part in parts.items() if key not in {"id", "signature"}})
    return "rel_" + hashlib.sha256(content).hexdigest()[:20]


def identified(release: Release) -> Release:
    """The same release under the id that follows from its content."""
    return replace(release, id=release_id(encode(release)))


def encode(release: Release) -> JsonObject:
    """The document of a release, not yet signed.

    Raises:
        InputError: a mechanism's charge is larger than the whole, or a number is not finite.
    """
    document: JsonObject = {
        "format": FORMAT,
        "id": release.id,
        "dataset": release.dataset,
        "epoch": release.epoch,
        "created": release.created,
        "policy": {"name": release.policy_name, "digest": release.policy_digest},
        "guarantee": _guarantee_out(release.guarantee),
        "totals": {"users": _estimate_out(release.users), "conversations": _estimate_out(release.conversations)},
        "facets": _facets_out(release.facets),
        "topics": [_topic_out(topic) for topic in release.topics],
        "audit": [{"subject": one.subject, "rule": one.rule, "allowed": one.allowed} for one in release.audit],
    }
    if release.models:
        document["models"] = [{"role": one.role, "model": one.model, "host": one.host} for one in release.models]
    dumps(document)
    return document


def decode(document: Mapping[str, Json]) -> Release:
    """The release in a document; a `signature` is left to `signature.verify`.

    Raises:
        InputError: another format, a missing, unknown or ill-typed field (named by its JSON pointer), or a topic
            whose parent is not a topic of a higher level.
    """
    if document.get("format") != FORMAT:
        raise InputError(f"not a release this version can read: its format is not {FORMAT}")
    top = Node(dict(document)).fields(*_TOP, optional=("signature", "models"))
    policy = top["policy"].fields("name", "digest")
    totals = top["totals"].fields("users", "conversations")
    return Release(
        id=top["id"].text(RELEASE_ID),
        dataset=top["dataset"].text(),
        epoch=top["epoch"].text(),
        created=_utc(top["created"]),
        policy_name=policy["name"].text(),
        policy_digest=policy["digest"].text(),
        guarantee=_guarantee(top["guarantee"]),
        users=_estimate(totals["users"]),
        conversations=_estimate(totals["conversations"]),
        facets=_facets(top["facets"]),
        topics=_topics(top["topics"]),
        audit=tuple(_verdict(node) for node in top["audit"].items()),
        models=tuple(_model_use(node) for node in top["models"].items()) if "models" in top else (),
    )


def _guarantee_out(guarantee: Guarantee) -> JsonObject:
    return {
        "mode": guarantee.mode,
        "unit": guarantee.unit,
        "neighbouring": guarantee.neighbouring,
        "epsilon": guarantee.epsilon,
        "delta": guarantee.delta,
        "rho": guarantee.rho / NANO,
        "bounds": dict(guarantee.bounds),
        "mechanisms": [_mechanism_out(one, guarantee.rho) for one in guarantee.mechanisms],
        "covers": list(guarantee.covers),
        "does_not_cover": list(guarantee.does_not_cover),
    }


def _mechanism_out(mechanism: Mechanism, whole: int) -> JsonObject:
    return {
        "name": mechanism.name,
        "statistic": mechanism.statistic,
        "mechanism": mechanism.kind,
        "rho": mechanism.rho / NANO,
        "delta": mechanism.delta / NANO,
        "share": share_of(mechanism, whole),
        "sigma": mechanism.sigma,
        "threshold": mechanism.threshold,
        "l0": mechanism.l0,
        "linf": mechanism.linf,
        "l2": mechanism.l2,
        "values": mechanism.values,
    }


def share_of(mechanism: Mechanism, whole: int) -> float:
    """The part of the release's rho (nano units) that this mechanism spent: 0 to 1, six places."""
    if not 0 <= mechanism.rho <= whole:
        raise InputError("a mechanism's rho is not between zero and the release's own")
    return round(mechanism.rho / whole, _SHARE_PLACES) if whole else 0.0


def _guarantee(node: Node) -> Guarantee:
    found = node.fields(
        "mode", "unit", "neighbouring", "epsilon", "delta", "rho", "bounds", "mechanisms", "covers", "does_not_cover"
    )
    rho = found["rho"].nano()
    return Guarantee(
        mode=cast("Mode", found["mode"].one_of("formal", "guarded")),
        unit=cast("Unit", found["unit"].one_of("user", "conversation")),
        neighbouring=found["neighbouring"].text(),
        epsilon=found["epsilon"].number(minimum=0),
        delta=found["delta"].number(minimum=0),
        rho=rho,
        bounds={name: bound.whole(minimum=0) for name, bound in found["bounds"].entries().items()},
        mechanisms=tuple(_mechanism(one, rho) for one in found["mechanisms"].items()),
        covers=tuple(one.text() for one in found["covers"].items()),
        does_not_cover=tuple(one.text() for one in found["does_not_cover"].items()),
    )


def _mechanism(node: Node, whole: int) -> Mechanism:
    found = node.fields(
        "name", "statistic", "mechanism", "rho", "delta", "share", "sigma", "threshold", "l0", "linf", "l2", "values"
    )
    mechanism = Mechanism(
        name=found["name"].text(),
        statistic=found["statistic"].text(),
        kind=cast("Kind", found["mechanism"].one_of(*get_args(Kind))),
        rho=found["rho"].nano(),
        delta=found["delta"].nano(),
        sigma=found["sigma"].number(minimum=0),
        threshold=None if found["threshold"].value is None else found["threshold"].whole(),
        l0=found["l0"].whole(minimum=0),
        linf=found["linf"].number(minimum=0),
        l2=found["l2"].number(minimum=0),
        values=None if found["values"].value is None else found["values"].whole(minimum=0),
    )
    if mechanism.rho > whole or found["share"].number(minimum=0) != share_of(mechanism, whole):
        found["share"].fail("must be this mechanism's part of the release's rho")
    return mechanism


def _estimate_out(estimate: Estimate) -> JsonObject:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _estimate(node: Node) -> Estimate:
    found = node.fields("value", "low", "high")
    low, value, high = (found[name].whole() for name in ("low", "value", "high"))
    if not low <= value <= high:
        node.fail("must lie within its own interval")
    return Estimate(value=value, low=low, high=high)


def _shown_out(estimate: Estimate | None) -> JsonObject | None:
    return None if estimate is None else _estimate_out(estimate)


def _shown(node: Node) -> Estimate | None:
    return None if node.value is None else _estimate(node)


def _facets_out(facets: Mapping[str, Sequence[FacetCount]]) -> JsonObject:
    return {
        name: [{"value": one.value, "users": _shown_out(one.users)} for one in counts]
        for name, counts in facets.items()
    }


def _facets(node: Node) -> dict[str, tuple[FacetCount, ...]]:
    return {name: tuple(_facet_count(one) for one in counts.items()) for name, counts in node.entries().items()}


def _facet_count(node: Node) -> FacetCount:
    found = node.fields("value", "users")
    return FacetCount(value=found["value"].text(), users=_shown(found["users"]))


def _topic_out(topic: Topic) -> JsonObject:
    return {
        "id": topic.id,
        "parent": topic.parent,
        "level": topic.level,
        "name": topic.name,
        "description": topic.description,
        "phrases": [{"text": one.text, "users": _shown_out(one.users)} for one in topic.phrases],
        "users": _estimate_out(topic.users),
        "conversations": _estimate_out(topic.conversations),
        "facets": _facets_out(topic.facets),
        "map": {"x": topic.x, "y": topic.y},
    }


def _topics(node: Node) -> tuple[Topic, ...]:
    nodes = node.items()
    topics = tuple(_topic(one) for one in nodes)
    level_of = {topic.id: topic.level for topic in topics}
    if len(level_of) != len(topics):
        node.fail("two topics have the same id")
    for topic, place in zip(topics, nodes, strict=True):
        if topic.parent is not None and level_of.get(topic.parent, -1) <= topic.level:
            place.fail("`parent` must name a topic of a higher level")
    return topics


def _topic(node: Node) -> Topic:
    found = node.fields(
        "id", "parent", "level", "name", "description", "phrases", "users", "conversations", "facets", "map"
    )
    place = found["map"].fields("x", "y")
    return Topic(
        id=found["id"].text(TOPIC_ID),
        parent=None if found["parent"].value is None else found["parent"].text(TOPIC_ID),
        level=found["level"].whole(minimum=0),
        name=found["name"].text(),
        description=found["description"].text(),
        phrases=tuple(_phrase(one) for one in found["phrases"].items()),
        users=_estimate(found["users"]),
        conversations=_estimate(found["conversations"]),
        facets=_facets(found["facets"]),
        x=place["x"].number(),
        y=place["y"].number(),
    )


def _phrase(node: Node) -> PhraseCount:
    found = node.fields("text", "users")
    return PhraseCount(text=found["text"].text(), users=_shown(found["users"]))


def _verdict(node: Node) -> Verdict:
    found = node.fields("subject", "rule", "allowed")
    return Verdict(subject=found["subject"].text(), rule=found["rule"].text(), allowed=found["allowed"].flag())


def _model_use(node: Node) -> ModelUse:
    found = node.fields("role", "model", "host")
    role = cast("Role", found["role"].one_of(*get_args(Role)))
    return ModelUse(role=role, model=found["model"].text(), host=found["host"].text())


def _utc(node: Node) -> str:
    """A time that sorts: ISO 8601 with its offset, which must be zero."""
    written = node.text()
    try:
        offset = datetime.fromisoformat(written).utcoffset()
    except ValueError:
        offset = None
    if offset != timedelta(0):
        node.fail("must be a time in UTC, such as 2025-01-31T12:00:00Z")
    return written
