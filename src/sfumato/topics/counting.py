"""Step 5 of every way to topics: people, conversations and facets, overall and in each topic of a tree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import assemble, consistency, counts, tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.plan import TopicPlan

LEVEL_NAMES = ("leaf", "middle", "top")
LEVEL_REACH = (20, 3, 2)  # topics of one unit that count at a level: users fan out less near the root
COVERED = 0.9  # share of units whose every conversation should count
VALUES_PER_UNIT = 2  # distinct values of one facet that a unit counts in
SCREENED = "screened"  # the facet that says whom the screener let through: in, out


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every measurement of one release needs.

    touched: topics that one unit counts in. reach: conversations that most units stay within, by the noisy bins.
    """

    epoch: BoundedEpoch
    plan: TopicPlan
    measurer: Measurer
    charges: Mapping[str, int]
    touched: int
    reach: int


def start(
    epoch: BoundedEpoch, plan: TopicPlan, measurer: Measurer, charges: Mapping[str, int]
) -> tuple[Run, tree.Measured]:
    """The first measurement: how many units there are and how active they are, which bounds all that follow."""
    bins = counts.activity(epoch, measurer, rho=charges["people"], cap=plan.conversations_per_user)
    reach = counts.reach_of(bins, share=COVERED, most=plan.conversations_per_user)
    touched = min(plan.topics_per_user, reach)
    run = Run(epoch=epoch, plan=plan, measurer=measurer, charges=charges, touched=touched, reach=reach)
    return run, tree.Measured(value=float(bins.values.sum()), sigma=bins.sigma * math.sqrt(bins.values.size))


def total_conversations(run: Run, people: tree.Measured) -> tree.Measured:
    """Total conversations; the users' own total where a unit holds one."""
    cap = run.plan.conversations_per_user
    if cap == 1:
        return people
    noisy = counts.total_conversations(run.epoch, run.measurer, rho=run.charges["conversations"], cap=cap)
    return tree.Measured(value=float(noisy.values[0]), sigma=noisy.sigma)


def overall_facets(run: Run, domains: Mapping[str, Sequence[str]]) -> dict[str, tuple[tree.Measured, ...]]:
    """Distinct users of every value of every declared facet, and of what the screener let through or left out."""
    found = {}
    for facet, domain in domains.items():
        codes = run.epoch.facets[facet]
        limit = values_per_unit(run, codes)
        unit_of, values = _spread(run.epoch.unit_of, codes)
        keys = counts.kept_keys(unit_of, values, limit=limit)
        name = f"facet {facet}"
        noisy = counts.users(keys, len(domain), run.measurer, name=name, rho=run.charges[name], l0=limit)
        found[facet] = tuple(tree.Measured(value=float(value), sigma=noisy.sigma) for value in noisy.values)
    if run.epoch.screened is not None:
        sides = run.measurer.counts(
            "screen", run.epoch.screened, rho=run.charges["screen"], l0=2, statistic="distinct units in and out"
        )
        found[SCREENED] = tuple(tree.Measured(value=float(value), sigma=sides.sigma) for value in sides.values)
    return found


def values_per_unit(run: Run, codes: NDArray[np.int16]) -> int:
    """A conversation with several values makes room for two even where a unit has one conversation."""
    return min(max(run.touched, codes.shape[1] if codes.ndim > 1 else 1), VALUES_PER_UNIT)


def _spread(row_of: NDArray[np.int32], codes: NDArray[np.int16]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """What a row has one of (its unit, its leaf), once for every value it may have; and those values, -1 for none."""
    wide = codes.astype(np.int64)
    return (row_of, wide) if wide.ndim == 1 else (np.repeat(row_of, wide.shape[1]), wide.ravel())


def counted(
    run: Run,
    leaf: NDArray[np.int32],
    groups: Sequence[NDArray[np.int64]],
    domains: Mapping[str, Sequence[str]],
    *,
    phrases: assemble.Within,
) -> assemble.Counted:
    """All numbers of a tree. leaf: (n,) of every row, -1 for none. groups: per level above, each leaf's group."""
    of_leaf = (np.arange(len(phrases.candidates)), *groups)
    parents = [_parents(below, above) for below, above in pairwise(of_leaf)]
    users, talks = _levels(run, leaf, of_leaf, parents)
    return assemble.Counted(
        of_leaf=of_leaf,
        parents=parents,
        users=users,
        conversations=talks,
        phrases=phrases,
        facets={
            facet: _facet_levels(run, leaf, of_leaf, parents, facet, len(domain))
            for facet, domain in domains.items()
            if facet not in run.plan.overall_only
        },
    )


def _parents(below: NDArray[np.int64], above: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parent of each topic of one level, both levels given per leaf."""
    _, first = np.unique(below, return_index=True)
    return above[first]


def _levels(
    run: Run, leaf: NDArray[np.int32], of_leaf: Sequence[NDArray[np.int64]], parents: Sequence[NDArray[np.int64]]
) -> tuple[assemble.Numbers, assemble.Numbers]:
    """Users and conversations of every level, consistent over the tree."""
    users, user_sigmas, talks, talk_sigmas = [], [], [], []
    fit = consistency.added_up if run.touched == 1 else consistency.enclosed
    single = run.plan.conversations_per_user == 1
    for level, group in enumerate(of_leaf):
        name, size = LEVEL_NAMES[level], int(group.max()) + 1
        limit = min(run.touched, LEVEL_REACH[level])
        keys = counts.kept_keys(run.epoch.unit_of, np.where(leaf >= 0, group[leaf], -1), limit=limit)
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
    people = assemble.Numbers.of(*fit(users, user_sigmas, parents))
    if single:
        return people, people
    talks = [
        consistency.no_fewer(level, unsure, held, sure)
        for level, unsure, held, sure in zip(talks, talk_sigmas, people.values, user_sigmas, strict=True)
    ]
    return people, assemble.Numbers.of(*fit(talks, talk_sigmas, parents))


def _facet_levels(
    run: Run,
    leaf: NDArray[np.int32],
    of_leaf: Sequence[NDArray[np.int64]],
    parents: Sequence[NDArray[np.int64]],
    facet: str,
    width: int,
) -> assemble.Numbers:
    """Users of each value of one facet in each topic: per level (topics * width,), row by row."""
    several = values_per_unit(run, run.epoch.facets[facet])
    unit_of, codes = _spread(run.epoch.unit_of, run.epoch.facets[facet])
    leaf, _ = _spread(leaf, run.epoch.facets[facet])
    values, sigmas = [], []
    share = run.charges[f"facet {facet} by topic"] // len(of_leaf)
    for level, group in enumerate(of_leaf):
        limit = max(min(run.touched, LEVEL_REACH[level]), several)
        keys = counts.kept_keys(
            unit_of, np.where((codes >= 0) & (leaf >= 0), group[leaf] * width + codes, -1), limit=limit
        )
        name = f"facet {facet} by {LEVEL_NAMES[level]}"
        size = (int(group.max()) + 1) * width
        noisy = counts.users(keys, size, run.measurer, name=name, rho=share, l0=limit)
        values.append(noisy.values.astype(np.float64))
        sigmas.append(noisy.sigma)
    fit = consistency.added_up if run.touched == 1 else consistency.enclosed
    wide = [(above[:, None] * width + np.arange(width)).ravel() for above in parents]
    return assemble.Numbers.of(*fit(values, sigmas, wide))
