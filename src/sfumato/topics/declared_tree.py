"""PUBLIC. Released numbers over a declared taxonomy as the tree that the gate reads; names are the taxonomy's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import layout
from sfumato.topics.declared_shape import topic_ids, words
from sfumato.topics.tree import Measured, TopicNode, TopicTree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.model.taxonomy import Taxonomy
    from sfumato.topics.declared_shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Released facts about the epoch as a whole."""

    users: Measured
    conversations: Measured
    facets: Mapping[str, tuple[Measured, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Released numbers of all n nodes, by code; sigmas per depth. shown: which nodes the tree is to hold.

    facets: per facet, the numbers of those nodes that were broken down by it.
    """

    shown: NDArray[np.bool_]
    users: NDArray[np.float64]
    user_sigmas: Sequence[float]
    conversations: NDArray[np.float64]
    conversation_sigmas: Sequence[float]
    facets: Mapping[str, Mapping[int, tuple[Measured, ...]]]


def tree_of(
    whole: Whole,
    counted: Counted,
    *,
    taxonomy: Taxonomy,
    shape: Shape,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
) -> TopicTree:
    """The shown nodes, highest first, then by users. leaf_ids: those of them with none shown below."""
    codes = np.flatnonzero(counted.shown)
    codes = codes[np.lexsort((codes, -counted.users[codes], -shape.height[codes]))]
    lowest = codes[~np.isin(codes, shape.parent[codes])]
    vectors = _vectors(taxonomy, lowest, embed)
    places = _positions(shape, codes, lowest, vectors)
    ids, depth = topic_ids(taxonomy), (shape.above >= 0).sum(axis=0) - 1
    return TopicTree(
        users=whole.users,
        conversations=whole.conversations,
        facets=whole.facets,
        phrases=(),
        topics=tuple(
            TopicNode(
                id=ids[code],
                parent=ids[shape.parent[code]] if shape.parent[code] >= 0 else None,
                level=int(shape.height[code]),
                name=taxonomy.nodes[code].name,
                description=taxonomy.nodes[code].description,
                phrases=(),
                users=Measured(value=float(counted.users[code]), sigma=counted.user_sigmas[depth[code]]),
                conversations=Measured(
                    value=float(counted.conversations[code]), sigma=counted.conversation_sigmas[depth[code]]
                ),
                facets={facet: held[code] for facet, held in counted.facets.items() if code in held},
                x=places[code][0],
                y=places[code][1],
            )
            for code in codes.tolist()
        ),
        leaf_ids=tuple(ids[code] for code in lowest.tolist()),
        centroids=vectors,
    )


def _vectors(
    taxonomy: Taxonomy, codes: NDArray[np.int64], embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    if not len(codes):
        return np.zeros((0, 1), np.float32)
    return np.asarray(embed([words(taxonomy.nodes[code]) for code in codes.tolist()]), np.float32)


def _positions(
    shape: Shape, codes: NDArray[np.int64], lowest: NDArray[np.int64], vectors: NDArray[np.float32]
) -> dict[int, tuple[float, float]]:
    """Place of each shown node: by its words for the lowest, in the middle of those for the nodes above them."""
    if not len(lowest):
        return {}
    flat = layout.positions(vectors)
    total, count = np.zeros((len(shape.parent), 2)), np.zeros(len(shape.parent))
    for above in shape.above:
        up = above[lowest]
        np.add.at(total, up[up >= 0], flat[up >= 0])
        np.add.at(count, up[up >= 0], 1)
    return {code: (float(total[code, 0] / count[code]), float(total[code, 1] / count[code])) for code in codes.tolist()}
