"""PUBLIC. A declared taxonomy as arrays: depths, ancestors, ids of topics, and noisy numbers made to agree over it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from sfumato.topics import consistency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sfumato.model.taxonomy import Node, Taxonomy

PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MARKED = re.compile(r".*-[0-9a-f]{16}")
MARK, STEM = 16, 40  # hexadecimal digits of an id's hash, and characters of the id before them


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The tree of n nodes, all arrays by code (the place of a node among `Taxonomy.nodes`).

    parent: (n,) code of the node above, -1 at the top. height: (n,) 0 for a leaf, else one more than the highest child.
    levels: codes of the nodes at each depth, the top first. slot: (n,) place of a node within its own depth.
    above: (depths, n) code of the ancestor at that depth, the node itself at its own, -1 below it.
    """

    parent: NDArray[np.int32]
    height: NDArray[np.int32]
    levels: tuple[NDArray[np.int64], ...]
    slot: NDArray[np.int64]
    above: NDArray[np.int32]

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> Self:
        """Parents stand before their children in `taxonomy.nodes`, so one pass each way will do."""
        size = len(taxonomy)
        parent = np.asarray([-1 if n.parent is None else taxonomy.index(n.parent) for n in taxonomy.nodes], np.int32)
        depth, height = np.zeros(size, np.int32), np.zeros(size, np.int32)
        above = np.full((taxonomy.depth, size), -1, np.int32)
        for code, up in enumerate(parent.tolist()):
            if up >= 0:
                depth[code] = depth[up] + 1
                above[:, code] = above[:, up]
            above[depth[code], code] = code
        for code in range(size - 1, -1, -1):
            if parent[code] >= 0:
                height[parent[code]] = max(height[parent[code]], height[code] + 1)
        levels = tuple(np.flatnonzero(depth == level) for level in range(taxonomy.depth))
        slot = np.zeros(size, np.int64)
        for codes in levels:
            slot[codes] = np.arange(len(codes))
        return cls(parent=parent, height=height, levels=levels, slot=slot, above=above)

    def spread(self, values: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
        """Numbers given per depth, (nodes at that depth, ...) each, as one array by code."""
        whole = np.zeros((len(self.parent), *values[0].shape[1:]))
        for codes, numbers in zip(self.levels, values, strict=True):
            whole[codes] = numbers
        return whole


def agreed(values: NDArray[np.float64], sigmas: Sequence[float], shape: Shape, *, alone: bool) -> NDArray[np.float64]:
    """Noisy numbers (n,) in which no node holds less than its children do; free post-processing.

    sigmas: standard deviation at each depth. alone: every unit counts in one node of a depth, so that a node holds at
    least the sum of its children; else at least the largest. It may hold more: some stand for the node itself. Only
    what contradicts this moves, by least squares, from the bottom up; then from the top down, no child beyond its
    parent.
    """
    fitted = values.copy()
    for depth in range(len(shape.levels) - 2, -1, -1):
        children = shape.levels[depth + 1]
        up, down = sigmas[depth] ** 2, sigmas[depth + 1] ** 2
        (_sums if alone else _largest)(fitted, children, shape.parent[children], up, down)
    for children in shape.levels[1:]:
        fitted[children] = np.minimum(fitted[children], fitted[shape.parent[children]])
    return fitted


def _sums(
    fitted: NDArray[np.float64], children: NDArray[np.int64], parent: NDArray[np.int32], up: float, down: float
) -> None:
    """Where children sum to more than their parent, the gap is shared out by variance."""
    total = np.bincount(parent, weights=fitted[children], minlength=len(fitted))
    spread = np.bincount(parent, minlength=len(fitted)) * down
    above = np.unique(parent)
    gap = np.zeros(len(fitted))
    gap[above] = np.maximum(total[above] - fitted[above], 0)
    fitted[above] += gap[above] * up / (up + spread[above])
    fitted[children] -= gap[parent] * down / (up + spread[parent])


def _largest(
    fitted: NDArray[np.float64], children: NDArray[np.int64], parent: NDArray[np.int32], up: float, down: float
) -> None:
    """Where a child holds more than its parent, the parent moves to their weighted mean."""
    most = np.full(len(fitted), -np.inf)
    np.maximum.at(most, parent, fitted[children])
    above = np.flatnonzero(most > fitted)
    fitted[above] = (down * fitted[above] + up * most[above]) / (up + down)


def no_fewer(
    talks: NDArray[np.float64],
    talk_sigmas: Sequence[float],
    users: NDArray[np.float64],
    user_sigmas: Sequence[float],
    shape: Shape,
) -> NDArray[np.float64]:
    """Conversations (n,) where each user has one at least, by depth: see `consistency.no_fewer`."""
    fitted = talks.copy()
    for codes, unsure, sure in zip(shape.levels, talk_sigmas, user_sigmas, strict=True):
        fitted[codes] = consistency.no_fewer(talks[codes], unsure, users[codes], sure)
    return fitted


def standing(values: NDArray[np.float64], least: Sequence[float], shape: Shape) -> NDArray[np.bool_]:
    """Nodes (n,) that reach the least number of their depth and whose every ancestor does."""
    passes = np.zeros(len(values), np.bool_)
    for codes, enough in zip(shape.levels, least, strict=True):
        parent = shape.parent[codes]
        passes[codes] = (values[codes] >= enough) & (passes[parent] | (parent < 0))
    return passes


def topic_ids(taxonomy: Taxonomy) -> list[str]:
    """Id of each node's topic: the node's own where a release can carry it, else what is left of it and a hash.

    An id follows from the node's alone, so it stays the same from release to release; one that looks hashed is hashed
    too, so no two nodes share one.
    """
    return [_topic_id(node.id) for node in taxonomy.nodes]


def _topic_id(node: str) -> str:
    if PLAIN_ID.fullmatch(node) and not MARKED.fullmatch(node):
        return node
    stem = re.sub("[^A-Za-z0-9_.-]+", "-", node)[:STEM].strip("-")
    return f"{stem or 'node'}-{hashlib.sha256(node.encode('utf-8', 'surrogatepass')).hexdigest()[:MARK]}"


def words(node: Node) -> str:
    """What is embedded of a node."""
    return f"{node.name}: {node.description}" if node.description else node.name
