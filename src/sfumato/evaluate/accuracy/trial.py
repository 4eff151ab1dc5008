"""One noisy release of a labelled epoch, and which released topic each conversation then lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.planning import allowance, facets_of, topic_plan
from sfumato.policy import decide
from sfumato.privacy import accounting
from sfumato.privacy.bounds import bound
from sfumato.privacy.measure import Measurer
from sfumato.topics.discover import discover
from sfumato.topics.tree import assign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sfumato.embed.sentences import Embedder
    from sfumato.evaluate.accuracy.labelled import Labelled
    from sfumato.policy.schema import Policy
    from sfumato.privacy.accounting import Allowance
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.noise import NoiseSource
    from sfumato.topics.plan import TopicPlan
    from sfumato.topics.tree import TopicNode, TopicTree

NOWHERE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a release is made with: where noise comes from, and the vector model."""

    noise: NoiseSource
    embedder: Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A corpus bounded under a policy and what each release of it may spend."""

    policy: Policy
    epoch: BoundedEpoch
    plan: TopicPlan
    allowed: Allowance


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One release. levels: topics of each level, leaves first; of_row: per level (n,) each row's topic among them.

    A topic under the policy's thresholds is not shown: `shown` says so per level, and its rows are at NOWHERE (-1).
    epsilon: what the release cost, by the sum of its mechanisms.
    """

    tree: TopicTree
    levels: tuple[tuple[TopicNode, ...], ...]
    shown: tuple[NDArray[np.bool_], ...]
    of_row: tuple[NDArray[np.int64], ...]
    epsilon: float

    def leaves(self) -> NDArray[np.int64]:
        """(n,) the released leaf of each row, or NOWHERE."""
        return self.of_row[0] if self.of_row else np.zeros(0, np.int64)

    def nearest_shown(self) -> NDArray[np.int64]:
        """(n,) the lowest released topic over each row, numbered over all levels; NOWHERE without one."""
        found = np.full(len(self.leaves()), NOWHERE, np.int64)
        before = 0
        for rows, level in zip(self.of_row, self.levels, strict=True):
            found = np.where((found == NOWHERE) & (rows != NOWHERE), rows + before, found)
            before += len(level)
        return found


def setting(corpus: Labelled, *, epsilon: float, delta: float) -> Setting:
    """The whole (epsilon, delta) pays for one release.

    Raises:
        PolicyError: too little to measure anything.
    """
    allowed = allowance(epsilon, delta)
    plan = topic_plan(corpus.policy, rho=allowed.rho, delta=allowed.selection_delta)
    epoch = bound(corpus.extracts, conversations_per_unit=plan.conversations_per_user)
    return Setting(policy=corpus.policy, epoch=epoch, plan=plan, allowed=allowed)


def run(of: Setting, tools: Tools) -> Trial:
    """One release, as the gateway measures it."""
    measurer = Measurer(tools.noise, rho=of.allowed.rho, delta=of.allowed.selection_delta)
    domains = {facet.name: facet.domain for facet in facets_of(of.policy)}
    tree = discover(of.epoch, plan=of.plan, measurer=measurer, embed=tools.embedder.embed, facet_domains=domains)
    levels = _levels(tree)
    shown = tuple(np.array([_passes(of.policy, topic) for topic in level], bool) for level in levels)
    spent = accounting.stated(
        rho=sum(one.rho for one in measurer.mechanisms),
        selection_delta=sum(one.delta for one in measurer.mechanisms),
        conversion_delta=of.allowed.conversion_delta,
    )
    return Trial(
        tree=tree, levels=levels, shown=shown, of_row=_places(tree, levels, shown, of.epoch.vectors), epsilon=spent[0]
    )


def _levels(tree: TopicTree) -> tuple[tuple[TopicNode, ...], ...]:
    by_id = {topic.id: topic for topic in tree.topics}
    leaves = tuple(by_id[leaf] for leaf in tree.leaf_ids)
    highest = max((topic.level for topic in tree.topics), default=0)
    return leaves, *(tuple(topic for topic in tree.topics if topic.level == level) for level in range(1, highest + 1))


def _passes(policy: Policy, topic: TopicNode) -> bool:
    return decide.release_topic(
        policy.thresholds, users=topic.users.value, conversations=topic.conversations.value
    ).allowed


def _places(
    tree: TopicTree,
    levels: Sequence[Sequence[TopicNode]],
    shown: Sequence[NDArray[np.bool_]],
    vectors: NDArray[np.float16],
) -> tuple[NDArray[np.int64], ...]:
    if not levels[0]:
        return (np.full(len(vectors), NOWHERE, np.int64),)
    above = {topic.id: topic.parent for topic in tree.topics}
    row = assign(vectors, tree.centroids).astype(np.int64)
    names = [topic.id for topic in levels[0]]
    found = []
    for level, (topics, passed) in enumerate(zip(levels, shown, strict=True)):
        number = {topic.id: place for place, topic in enumerate(topics)}
        if level:
            names = [above[name] or name for name in names]
        of_leaf = np.array([number[name] if passed[number[name]] else NOWHERE for name in names])
        found.append(of_leaf[row])
    return tuple(found)
