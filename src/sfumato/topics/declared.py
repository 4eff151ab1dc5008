"""Topics of a declared taxonomy: nothing is discovered, so the whole budget goes to counting."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import counts, declared_shape
from sfumato.topics.counting import Run, overall_facets, start, total_conversations, values_per_unit
from sfumato.topics.declared_shape import Shape
from sfumato.topics.declared_tree import Counted, Whole, tree_of
from sfumato.topics.tree import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.model.taxonomy import Taxonomy
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.plan import TopicPlan
    from sfumato.topics.tree import TopicTree

FACET_DEPTHS = 3  # from the top: below that, nodes are too many and too small to be broken down
CLEAR = 3  # standard deviations that a node's users must reach: else, of 20,000 nodes, noise alone would show dozens
MOST_CELLS = 250_000  # of one facet at one depth: 5 s of noise

# Relative weights of the measurements. Each depth weighs the same: its noise depends on what one unit may touch, not on
# how many nodes there are.
WEIGHTS = {"people": 1, "conversations": 1, "users": 12, "talks": 5, "facets": 3, "facets by node": 6}


def charges(plan: TopicPlan, *, depth: int, facets: Sequence[str]) -> dict[str, int]:
    """Rho of each measurement in nano units, at least 3 each; the sum stays within `plan.rho`. No delta is spent.

    depth: of the taxonomy; depth 1 is the top.

    Raises:
        ValueError: rho is too small to give every measurement a few nano units.
    """
    depths = range(1, depth + 1)
    weights = {"people": WEIGHTS["people"], **{f"depth {at} users": WEIGHTS["users"] for at in depths}}
    if plan.conversations_per_user > 1:
        weights["conversations"] = WEIGHTS["conversations"]
        weights |= {f"depth {at} conversations": WEIGHTS["talks"] for at in depths}
    for facet in facets:
        weights[f"facet {facet}"] = WEIGHTS["facets"]
        if facet not in plan.overall_only:
            weights[f"facet {facet} by node"] = WEIGHTS["facets by node"]
    if plan.screened:
        weights["screen"] = 1
    total = sum(weights.values())
    shares = {step: plan.rho * weight // total for step, weight in weights.items()}
    if min(shares.values()) < FACET_DEPTHS:
        raise ValueError("the budget of this release is too small for its measurements; raise epsilon or its share")
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What stands for what once each unit is bounded: distinct (row, code of a node) pairs, in two parallel columns."""

    run: Run
    shape: Shape
    row: NDArray[np.int64]
    node: NDArray[np.int64]

    def at(self, depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct (row, ancestor at that depth) pairs: a conversation counts once in a node, however it got there."""
        size = len(self.shape.parent)
        up = self.shape.above[depth][self.node].astype(np.int64)
        pair = np.unique(self.row[up >= 0] * size + up[up >= 0])
        return pair // size, pair % size

    def keys(self, depth: int) -> tuple[counts.Keys, int]:
        """Which unit counts in which node of a depth, by the node's slot there; and in how many it may."""
        limit = min(self.run.touched, len(self.shape.levels[depth]))
        row, node = self.at(depth)
        return counts.kept_keys(self.run.epoch.unit_of[row], self.shape.slot[node], limit=limit), limit


def discover(
    epoch: BoundedEpoch,
    *,
    taxonomy: Taxonomy,
    nodes: NDArray[np.integer],
    plan: TopicPlan,
    measurer: Measurer,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    facet_domains: Mapping[str, Sequence[str]],
) -> TopicTree:
    """Topics of a bounded epoch over a declared taxonomy under the plan's rho, user-level (add or remove one unit).

    nodes: (n,) or (n, k) whole numbers, the place in `taxonomy.nodes` of the deepest nodes that each conversation
    stands for; whatever is no place (-1, or `unknown` after the last) stands for none. A row must depend on its own
    conversation alone. embed: unit vectors of n strings; it sees the taxonomy's words only.

    The tree holds those nodes alone whose noisy users, and those of every node above them, reach `plan.min_users` and
    three standard deviations of their noise. That a node is missing says less than its noisy number would.

    Raises:
        BudgetExhausted: the measurer was given less than the plan says.
        ValueError: the plan's rho is too small for its measurements, or `nodes` has not one row per conversation.
    """
    if len(nodes) != len(epoch):
        raise ValueError("each conversation needs its row of nodes")
    shape = Shape.of(taxonomy)
    split = charges(plan, depth=len(shape.levels), facets=tuple(facet_domains))
    width = nodes.shape[1] if nodes.ndim > 1 else 1
    run, people = start(epoch, plan, measurer, split)
    run = replace(run, touched=min(plan.topics_per_user, run.reach * width))
    whole = Whole(
        users=people, conversations=total_conversations(run, people), facets=overall_facets(run, facet_domains)
    )
    counted = _counted(_standing(run, shape, nodes, width), width, facet_domains)
    return tree_of(whole, counted, taxonomy=taxonomy, shape=shape, embed=embed)


def _counted(held: _Standing, width: int, domains: Mapping[str, Sequence[str]]) -> Counted:
    """Users and conversations of every node, then facets of the nodes that stand."""
    run = held.run
    users, user_sigmas = _users(held)
    talks, talk_sigmas = (
        (users, user_sigmas)
        if run.plan.conversations_per_user == 1
        else _conversations(held, users, user_sigmas, width)
    )
    least = [max(run.plan.min_users, CLEAR * sigma) for sigma in user_sigmas]
    shown = declared_shape.standing(users, least, held.shape)
    order = np.argsort(-users, kind="stable")
    largest = order[shown[order]]
    return Counted(
        shown=shown,
        users=users,
        user_sigmas=user_sigmas,
        conversations=talks,
        conversation_sigmas=talk_sigmas,
        facets={
            facet: _facet(held, facet, largest, len(domain))
            for facet, domain in domains.items()
            if facet not in run.plan.overall_only
        },
    )


def _standing(run: Run, shape: Shape, nodes: NDArray[np.integer], width: int) -> _Standing:
    """Each unit's `touched` nodes with most conversations; in the nodes above them it counts too, and in no others."""
    size = len(shape.parent)
    row, node = np.repeat(np.arange(len(nodes), dtype=np.int64), width), nodes.astype(np.int64).ravel()
    real = (node >= 0) & (node < size)
    pair = np.unique(row[real] * size + node[real])
    row, node = pair // size, pair % size
    unit = run.epoch.unit_of[row]
    kept = counts.kept_keys(unit, node, limit=run.touched)
    stays = np.isin(unit.astype(np.int64) * size + node, kept.unit * size + kept.key)
    return _Standing(run=run, shape=shape, row=row[stays], node=node[stays])


def _users(held: _Standing) -> tuple[NDArray[np.float64], list[float]]:
    """Distinct users of every node, (n,) by code, and the noise at each depth."""
    run, shape = held.run, held.shape
    values, sigmas = [], []
    for depth, codes in enumerate(shape.levels):
        name = f"depth {depth + 1} users"
        keys, limit = held.keys(depth)
        noisy = counts.users(keys, len(codes), run.measurer, name=name, rho=run.charges[name], l0=limit)
        values.append(noisy.values)
        sigmas.append(noisy.sigma)
    return declared_shape.agreed(shape.spread(values), sigmas, shape, alone=run.touched == 1), sigmas


def _conversations(
    held: _Standing, users: NDArray[np.float64], user_sigmas: Sequence[float], width: int
) -> tuple[NDArray[np.float64], list[float]]:
    """Conversations of every node, (n,) by code, and the noise at each depth; no fewer than users, who are surer.

    One conversation that stands for `width` nodes has norm sqrt(width): the bound makes room for it.
    """
    run, shape = held.run, held.shape
    values, sigmas = [], []
    for depth, codes in enumerate(shape.levels):
        name = f"depth {depth + 1} conversations"
        keys, limit = held.keys(depth)
        reach = math.ceil(run.reach * math.sqrt(min(width, limit)))
        noisy, sigma = counts.conversations(
            keys, len(codes), run.measurer, name=name, rho=run.charges[name], reach=reach
        )
        values.append(noisy)
        sigmas.append(sigma)
    fitted = declared_shape.no_fewer(shape.spread(values), sigmas, users, user_sigmas, shape)
    return declared_shape.agreed(fitted, sigmas, shape, alone=run.touched == 1), sigmas


def _facet(held: _Standing, facet: str, largest: NDArray[np.int64], width: int) -> dict[int, tuple[Measured, ...]]:
    """Users of each value of a facet in the nodes that stand near the top, the largest while there is room."""
    run, shape = held.run, held.shape
    depths = min(FACET_DEPTHS, len(shape.levels))
    rho = run.charges[f"facet {facet} by node"] // depths
    found = {}
    for depth in range(depths):
        codes = largest[np.isin(largest, shape.levels[depth])][: max(MOST_CELLS // width, 1)]
        if not len(codes):
            break
        keys, limit = _facet_keys(held, facet, depth=depth, codes=codes, width=width)
        name = f"facet {facet} at depth {depth + 1}"
        noisy = counts.users(keys, len(codes) * width, run.measurer, name=name, rho=rho, l0=limit)
        for code, row in zip(codes.tolist(), noisy.values.reshape(-1, width).tolist(), strict=True):
            found[code] = tuple(Measured(value=float(value), sigma=noisy.sigma) for value in row)
    return found


def _facet_keys(
    held: _Standing, facet: str, *, depth: int, codes: NDArray[np.int64], width: int
) -> tuple[counts.Keys, int]:
    """Each unit's (node, value) pairs as keys place * width + value, and how many it may have."""
    run = held.run
    place = np.full(len(held.shape.parent), -1, np.int64)
    place[codes] = np.arange(len(codes))
    row, node = held.at(depth)
    column = run.epoch.facets[facet][row]
    limit = min(max(run.touched, values_per_unit(run, run.epoch.facets[facet])), len(codes) * width)
    several = column.shape[1] if column.ndim > 1 else 1
    at, value = np.repeat(place[node], several), column.astype(np.int64).ravel()
    unit = np.repeat(run.epoch.unit_of[row], several)
    return counts.kept_keys(unit, np.where((at >= 0) & (value >= 0), at * width + value, -1), limit=limit), limit
