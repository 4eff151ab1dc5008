"""Which way to topics a policy takes: found by private measurements, declared beforehand, or Clio's own (guarded)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.planning import TOPIC
from sfumato.policy import decide
from sfumato.topics import declared, guarded
from sfumato.topics.declared_nearest import nearest
from sfumato.topics.discover import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.model.prompt import Model
    from sfumato.planning import ReleasePlan
    from sfumato.policy.schema import Thresholds
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.tree import TopicTree


def nodes(
    epoch: BoundedEpoch, plan: ReleasePlan, embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> NDArray[np.int16] | None:
    """PRIVATE. What each conversation stands for in a declared taxonomy; None where topics are not declared.

    As a model walked the tree, else the nearest leaves. Embeds the tree, so it comes before anything is charged.
    """
    if plan.taxonomy is None:
        return None
    asked = epoch.facets.get(TOPIC)
    return nearest(epoch.vectors, plan.taxonomy, embed, at_most=plan.at_most) if asked is None else asked


def topics(
    epoch: BoundedEpoch,
    nodes: NDArray[np.int16] | None,
    *,
    plan: ReleasePlan,
    limits: Thresholds,
    measurer: Measurer,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    namer: Model | None,
) -> TopicTree:
    """The measured tree of one bounded epoch.

    nodes: from the function of that name. namer: writes names; None makes them of phrases, or takes declared ones.

    Raises:
        BudgetExhausted: the measurer was given less than the plan says.
    """
    domains = {facet.name: facet.domain for facet in plan.facets}
    if plan.taxonomy is not None and nodes is not None:
        return declared.discover(
            epoch,
            taxonomy=plan.taxonomy,
            nodes=nodes,
            plan=plan.topics,
            measurer=measurer,
            embed=embed,
            facet_domains=domains,
        )
    if plan.mode == "guarded" and namer is not None:
        return guarded.discover(
            epoch,
            plan=plan.topics,
            measurer=measurer,
            embed=embed,
            facet_domains=domains,
            namer=namer,
            keep=lambda users, talks: decide.release_topic(limits, users=users, conversations=talks).allowed,
        )
    return discover(epoch, plan=plan.topics, measurer=measurer, embed=embed, facet_domains=domains, namer=namer)
