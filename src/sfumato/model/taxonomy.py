"""PUBLIC. A tree of nodes that the operator declares, each with an id and a name: no user had a part in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node; `parent` is the id of the node above, None at the top. description may be empty."""

    id: str
    parent: str | None
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """Nodes in an order that has each parent before its children; a node's place in it is its code in a facet column.

    digest: SHA-256, in hex, of what it was read from. Every look-up by id takes constant time.
    """

    nodes: tuple[Node, ...]
    digest: str
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _children: Mapping[str | None, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _paths: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the look-ups.

        Raises:
            ValueError: there is no node, an id stands twice, or a parent does not stand before its child.
        """
        index: dict[str, int] = {}
        children: dict[str | None, list[str]] = {None: []}
        paths: dict[str, tuple[str, ...]] = {}
        for place, node in enumerate(self.nodes):
            if node.id in index or (node.parent is not None and node.parent not in index):
                raise ValueError("each id of a taxonomy stands once, after its parent's")
            index[node.id] = place
            children[node.id] = []
            children[node.parent].append(node.id)
            paths[node.id] = (*(paths[node.parent] if node.parent is not None else ()), node.id)
        if not index:
            raise ValueError("a taxonomy has at least one node")
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_children", {above: tuple(below) for above, below in children.items()})
        object.__setattr__(self, "_paths", paths)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, id_: str) -> Node:
        """The node of an id; KeyError where there is none."""
        return self.nodes[self._index[id_]]

    def __contains__(self, id_: object) -> bool:
        return id_ in self._index

    def index(self, id_: str) -> int:
        """Place of a node among `nodes`; KeyError where there is none."""
        return self._index[id_]

    def children(self, id_: str | None) -> tuple[str, ...]:
        """Ids right below a node, in the order of `nodes`; those at the top for None."""
        return self._children[id_]

    def leaves(self) -> tuple[str, ...]:
        """Ids of the nodes that have no children, in the order of `nodes`."""
        return tuple(node.id for node in self.nodes if not self._children[node.id])

    def path(self, id_: str) -> tuple[str, ...]:
        """Ids from the top down to this node, itself included."""
        return self._paths[id_]

    @property
    def depth(self) -> int:
        """Nodes on the longest path from the top to a leaf: 1 for a flat list."""
        return max(len(path) for path in self._paths.values())
