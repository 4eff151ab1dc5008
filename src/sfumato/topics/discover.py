"""The whole of topic discovery: every step that touches private data, in order, each through the Measurer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.guarantee import NANO
from sfumato.topics import assemble, consistency, counts, hierarchy, leaves, merge, tree, vocabulary
from sfumato.topics import seeds as seeding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.plan import TopicPlan

LEVEL_NAMES = ("leaf", "middle", "top")
LEVEL_REACH = (20, 3, 2)  # topics of one unit that count at a level: users fan out less near the root
PHRASES_BEYOND = 3  # phrases of a unit over its conversations: fewer phrases, less noise on each
COVERED = 0.9  # share of units whose every conversation should count
CANDIDATES = 12  # phrases counted within each leaf
PHRASES_PER_UNIT = 2
VALUES_PER_UNIT = 2  # distinct values of one facet that a unit counts in


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What every measurement of one discovery needs."""

    epoch: BoundedEpoch
    plan: TopicPlan
    measurer: Measurer
    charges: Mapping[str, int]
    touched: int
    reach: int


def discover(
    epoch: BoundedEpoch,
    *,
    plan: TopicPlan,
    measurer: Measurer,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    facet_domains: Mapping[str, Sequence[str]],
) -> tree.TopicTree:
    """Topics of a bounded epoch under the plan's (rho, delta), user-level (add or remove one unit).

    embed: unit vectors (n, d) float32 of n strings, by the same public model as the epoch's vectors; it sees released
    phrases only. facet_domains: the declared values of each facet, in the order of the epoch's codes.

    Raises:
        BudgetExhausted: the measurer was given less than the plan says.
        ValueError: the plan's rho is too small for its measurements.
    """
    charges = plan.charges(tuple(facet_domains))
    bins = counts.activity(epoch, measurer, rho=charges["people"])
    reach = counts.reach_of(bins.values, share=COVERED, most=plan.conversations_per_user)
    run = _Run(
        epoch=epoch,
        plan=plan,
        measurer=measurer,
        charges=charges,
        touched=min(plan.topics_per_user, reach),
        reach=reach,
    )
    people = tree.Measured(value=float(bins.values.sum()), sigma=bins.sigma * math.sqrt(bins.values.size))
    talks = _talks(run, people)
    words = vocabulary.select(
        epoch,
        measurer,
        limit=min(plan.phrases_per_user, PHRASES_BEYOND + reach),
        rho=charges["vocabulary"],
        delta=plan.delta,
    )
    facets = _overall_facets(run, facet_domains)
    whole = assemble.Whole(
        users=people,
        conversations=talks,
        facets=facets,
        words=words.texts,
        word_users=words.users,
        word_sigma=words.sigma,
    )
    if not words.texts:
        return assemble.empty(whole)
    seeds = np.asarray(embed(words.texts), np.float32)
    centroids = _centroids(run, seeds, seeding.candidates(words.texts, seeds, embed), people)
    return assemble.tree_of(
        whole, _counted(run, centroids, seeds, words, facet_domains), centroids=centroids, seeds=seeds
    )


def _centroids(
    run: _Run, seeds: NDArray[np.float32], candidates: NDArray[np.float64], people: tree.Measured
) -> NDArray[np.float32]:
    """Leaf centroids: vote on candidate places, then merge and refine."""
    places = seeding.vote(run.epoch, candidates, run.measurer, rho=run.charges["places"], l0=run.touched)
    sigma = math.sqrt(run.touched * NANO / (2 * run.charges["leaf users"]))
    count = run.plan.leaves or merge.leaf_count(
        users=people.value, cells=len(places.weights), sigma=sigma, min_users=run.plan.min_users
    )
    basis = merge.subspace(candidates, rank=min(leaves.RANK, seeds.shape[1], len(candidates)))
    target = leaves.Target(leaves=count, users=people.value, min_users=run.plan.min_users)
    return leaves.refined(run.epoch, places, basis, target=target, measurer=run.measurer, rho=run.charges["refine"])


def _talks(run: _Run, people: tree.Measured) -> tree.Measured:
    """Total conversations; the users' own total where a unit holds one."""
    cap = run.plan.conversations_per_user
    if cap == 1:
        return people
    noisy = counts.total_conversations(run.epoch, run.measurer, rho=run.charges["conversations"], cap=cap)
    return tree.Measured(value=float(noisy.values[0]), sigma=noisy.sigma)


def _overall_facets(run: _Run, domains: Mapping[str, Sequence[str]]) -> dict[str, tuple[tree.Measured, ...]]:
    """Distinct users of every value of every declared facet."""
    found = {}
    for facet, domain in domains.items():
        limit = min(run.touched, VALUES_PER_UNIT)
        keys = counts.kept_keys(run.epoch.unit_of, run.epoch.facets[facet].astype(np.int64), limit=limit)
        name = f"facet {facet}"
        noisy = counts.users(keys, len(domain), run.measurer, name=name, rho=run.charges[name], l0=limit)
        found[facet] = tuple(tree.Measured(value=float(value), sigma=noisy.sigma) for value in noisy.values)
    return found


def _counted(
    run: _Run,
    centroids: NDArray[np.float32],
    seeds: NDArray[np.float32],
    words: vocabulary.Vocabulary,
    domains: Mapping[str, Sequence[str]],
) -> assemble.Counted:
    """All of step 5 over the tree that the released centroids make."""
    groups = hierarchy.groupings(centroids)
    of_leaf = (np.arange(len(centroids)), *groups)
    parents = [_parents(below, above) for below, above in pairwise(of_leaf)]
    leaf = tree.assign(run.epoch.vectors, centroids)
    users, talks = _levels(run, leaf, of_leaf, parents)
    return assemble.Counted(
        of_leaf=of_leaf,
        parents=parents,
        users=users,
        conversations=talks,
        phrases=_phrases(run, leaf, centroids @ seeds.T, words),
        facets={
            facet: _facet_levels(run, leaf, of_leaf, parents, facet, len(domain)) for facet, domain in domains.items()
        },
    )


def _parents(below: NDArray[np.int64], above: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parent of each topic of one level, both levels given per leaf."""
    _, first = np.unique(below, return_index=True)
    return above[first]


def _levels(
    run: _Run, leaf: NDArray[np.int32], of_leaf: Sequence[NDArray[np.int64]], parents: Sequence[NDArray[np.int64]]
) -> tuple[assemble.Numbers, assemble.Numbers]:
    """Users and conversations of every level, consistent over the tree."""
    users, user_sigmas, talks, talk_sigmas = [], [], [], []
    single = run.plan.conversations_per_user == 1
    for level, group in enumerate(of_leaf):
        name, size = LEVEL_NAMES[level], int(group.max()) + 1
        limit = min(run.touched, LEVEL_REACH[level])
        keys = counts.kept_keys(run.epoch.unit_of, group[leaf], limit=limit)
        noisy = counts.users(keys, size, run.measurer, name=f"{name} users", rho=run.charges[f"{name} users"], l0=limit)
        users.append(noisy.values.astype(np.float64))
        user_sigmas.append(noisy.sigma)
        if not single:
            name = f"{name} conversations"
            value, sigma = counts.conversations(
                keys, size, run.measurer, name=name, rho=run.charges[name], reach=run.reach
            )
            talks.append(value)
            talk_sigmas.append(sigma)
    fit = consistency.added_up if run.touched == 1 else consistency.enclosed
    people = assemble.Numbers.of(*fit(users, user_sigmas, parents))
    return people, people if single else assemble.Numbers.of(*fit(talks, talk_sigmas, parents))


def _phrases(
    run: _Run, leaf: NDArray[np.int32], likeness: NDArray[np.float32], words: vocabulary.Vocabulary
) -> assemble.Within:
    """Noisy users of each leaf's candidate phrases: those released phrases whose vectors are nearest its centroid."""
    width = min(CANDIDATES, likeness.shape[1])
    candidates = np.argsort(-likeness, axis=1, kind="stable")[:, :width]
    slot = np.full(likeness.shape, -1, np.int32)
    np.put_along_axis(slot, candidates, np.arange(width, dtype=np.int32)[None, :], axis=1)
    number = np.full(len(run.epoch.phrases), -1, np.int32)
    number[words.ids] = np.arange(len(words.ids))
    keys = counts.phrase_keys(run.epoch, leaf, slot, number, limit=PHRASES_PER_UNIT)
    rho = run.charges["topic phrases"]
    noisy = counts.users(keys, candidates.size, run.measurer, name="topic phrases", rho=rho, l0=PHRASES_PER_UNIT)
    return assemble.Within(candidates=candidates, users=noisy.values.reshape(candidates.shape), sigma=noisy.sigma)


def _facet_levels(
    run: _Run,
    leaf: NDArray[np.int32],
    of_leaf: Sequence[NDArray[np.int64]],
    parents: Sequence[NDArray[np.int64]],
    facet: str,
    width: int,
) -> assemble.Numbers:
    """Users of each value of one facet in each topic: per level (topics * width,), row by row."""
    codes = run.epoch.facets[facet].astype(np.int64)
    values, sigmas = [], []
    share = run.charges[f"facet {facet} by topic"] // len(of_leaf)
    for level, group in enumerate(of_leaf):
        limit = min(run.touched, LEVEL_REACH[level])
        keys = counts.kept_keys(run.epoch.unit_of, np.where(codes >= 0, group[leaf] * width + codes, -1), limit=limit)
        name = f"facet {facet} by {LEVEL_NAMES[level]}"
        size = (int(group.max()) + 1) * width
        noisy = counts.users(keys, size, run.measurer, name=name, rho=share, l0=limit)
        values.append(noisy.values.astype(np.float64))
        sigmas.append(noisy.sigma)
    fit = consistency.added_up if run.touched == 1 else consistency.enclosed
    wide = [(above[:, None] * width + np.arange(width)).ravel() for above in parents]
    return assemble.Numbers.of(*fit(values, sigmas, wide))
