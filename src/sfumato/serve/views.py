"""Views cut from a verified release, each with the guarantee: its summary, its tree, one topic, its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.model.strict_json import Node
from sfumato.serve import wire

if TYPE_CHECKING:
    from sfumato.model.release import Estimate, Release, Topic
    from sfumato.serve.store import Stored


def summary(release: Release) -> wire.SummaryShape:
    """A release in a list."""
    return wire.SummaryShape(
        id=release.id,
        dataset=release.dataset,
        epoch=release.epoch,
        created=release.created,
        topics=len(release.topics),
        **promise(release).model_dump(),
    )


def promise(release: Release) -> wire.PromiseShape:
    """The guarantee in short."""
    card = release.guarantee
    return wire.PromiseShape(mode=card.mode, unit=card.unit, epsilon=card.epsilon, delta=card.delta)


def estimate(found: Estimate) -> wire.EstimateShape:
    """A number as it is sent."""
    return wire.EstimateShape(value=found.value, low=found.low, high=found.high)


def tree(release: Release) -> wire.TreeShape:
    """Topics under their parents, the largest first."""
    below: dict[str | None, list[Topic]] = {}
    for topic in sorted(release.topics, key=lambda one: (-one.users.value, one.id)):
        below.setdefault(topic.parent, []).append(topic)

    def branch(topic: Topic) -> wire.BranchShape:
        return wire.BranchShape(
            id=topic.id,
            level=topic.level,
            name=topic.name,
            users=estimate(topic.users),
            conversations=estimate(topic.conversations),
            children=[branch(child) for child in below.get(topic.id, [])],
        )

    tops = [branch(topic) for topic in below.get(None, [])]
    return wire.TreeShape(release=release.id, guarantee=promise(release), topics=tops)


def one_topic(stored: Stored, topic_id: str) -> wire.OneTopicShape | None:
    """One topic as the document has it, or None."""
    topics = Node(stored.document).entries()["topics"].items()
    for topic, node in zip(stored.release.topics, topics, strict=True):
        if topic.id == topic_id:
            shape = wire.TopicShape.model_validate(node.value)
            return wire.OneTopicShape(release=stored.release.id, guarantee=promise(stored.release), topic=shape)
    return None


def card(stored: Stored) -> wire.CardShape:
    """The whole guarantee."""
    return wire.CardShape(
        release=stored.release.id,
        policy=wire.PolicyShape.model_validate(stored.document["policy"]),
        guarantee=wire.GuaranteeShape.model_validate(stored.document["guarantee"]),
    )
