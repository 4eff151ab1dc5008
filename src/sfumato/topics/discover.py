"""The whole of topic discovery: every step that touches private data, in order, each through the Measurer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.guarantee import NANO
from sfumato.topics import assemble, counting, counts, hierarchy, leaves, merge, tree, vocabulary, written
from sfumato.topics import seeds as seeding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.model.prompt import Model
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.counting import Run
    from sfumato.topics.plan import TopicPlan

PHRASES_BEYOND = 3  # phrases of a unit over its conversations: fewer phrases, less noise on each
CANDIDATES = 12  # phrases counted within each leaf
PHRASES_PER_UNIT = 2
LANGUAGE = "language"  # the facet whose values are ISO 639-1 codes
CLEAR = 3  # standard deviations that a language's users must reach for names to be written in it


def discover(
    epoch: BoundedEpoch,
    *,
    plan: TopicPlan,
    measurer: Measurer,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    facet_domains: Mapping[str, Sequence[str]],
    namer: Model | None = None,
) -> tree.TopicTree:
    """Topics of a bounded epoch under the plan's (rho, delta), user-level (add or remove one unit).

    embed: unit vectors (n, d) float32 of n strings, by the same public model as the epoch's vectors; it sees released
    phrases and names made from them only. facet_domains: the declared values of each facet, in the order of the epoch's
    codes. namer: writes titles and groups topics, from released values only; None makes titles of phrases, and so does
    whatever it answers that may not be published.

    Raises:
        BudgetExhausted: the measurer was given less than the plan says.
        ValueError: the plan's rho is too small for its measurements.
    """
    charges = plan.charges(tuple(facet_domains))
    run, people = counting.start(epoch, plan, measurer, charges)
    talks = counting.total_conversations(run, people)
    words = vocabulary.select(
        epoch,
        measurer,
        limit=min(plan.phrases_per_user, PHRASES_BEYOND + run.reach),
        rho=charges["vocabulary"],
        delta=plan.delta,
    )
    facets = counting.overall_facets(run, facet_domains)
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
    author = None if namer is None else written.author(namer, embed, words.texts, _spoken(facets, facet_domains))
    groups = written.groupings(author, whole, centroids, seeds) if author else hierarchy.groupings(centroids)
    leaf = tree.assign(epoch.vectors, centroids)
    phrases = _phrases(run, leaf, centroids @ seeds.T, words)
    counted = counting.counted(run, leaf, groups, facet_domains, phrases=phrases)
    labels = assemble.labels_of(whole, counted, centroids=centroids, seeds=seeds)
    if author:
        labels = written.labels(author, whole, counted, labels, centroids)
    return assemble.tree_of(whole, counted, labels, centroids=centroids)


def _centroids(
    run: Run, seeds: NDArray[np.float32], candidates: NDArray[np.float64], people: tree.Measured
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


def _spoken(facets: Mapping[str, Sequence[tree.Measured]], domains: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Languages that released counts show people to use; none where no facet says."""
    pairs = zip(domains.get(LANGUAGE, ()), facets.get(LANGUAGE, ()), strict=True)
    return tuple(language for language, users in pairs if users.value > CLEAR * users.sigma)


def _phrases(
    run: Run, leaf: NDArray[np.int32], likeness: NDArray[np.float32], words: vocabulary.Vocabulary
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
