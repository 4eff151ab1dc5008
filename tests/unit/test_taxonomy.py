"""A declared taxonomy as a value: order, look-ups, depth."""

from __future__ import annotations

import pytest

from sfumato.model.taxonomy import Node, Taxonomy


def nodes(*rows):
    return tuple(Node(id=id_, parent=parent, name=id_) for id_, parent in rows)


TREE = Taxonomy(nodes=nodes(("a", None), ("b", None), ("c", "a"), ("d", "a"), ("e", "c")), digest="0" * 64)


def test_children_leaves_and_paths_follow_the_order_of_the_nodes():
    """Look-ups by id say what stands below, above and at the end of each branch."""
    assert TREE.children(None) == ("a", "b")
    assert TREE.children("a") == ("c", "d")
    assert TREE.children("e") == ()
    assert TREE.leaves() == ("b", "d", "e")
    assert TREE.path("e") == ("a", "c", "e")
    assert TREE["d"].parent == "a"
    assert [TREE.index(node.id) for node in TREE.nodes] == list(range(len(TREE)))


def test_depth_is_the_longest_path_and_membership_is_by_id():
    """A flat list is one deep; this tree has three."""
    assert TREE.depth == 3
    assert Taxonomy(nodes=nodes(("x", None)), digest="").depth == 1
    assert "e" in TREE
    assert "f" not in TREE


def test_an_unknown_id_is_a_key_error():
    """No look-up answers for a node that is not there."""
    for look in (TREE.index, TREE.children, TREE.path, TREE.__getitem__):
        with pytest.raises(KeyError):
            look("nowhere")


@pytest.mark.parametrize(
    "rows",
    [(), (("a", None), ("a", None)), (("b", "a"), ("a", None)), (("a", "a"),), (("a", "z"),)],
    ids=["empty", "twice", "child-first", "own-parent", "no-parent"],
)
def test_what_is_no_tree_in_order_is_refused(rows):
    """Empty, a repeated id, a child before its parent."""
    with pytest.raises(ValueError, match="taxonomy"):
        Taxonomy(nodes=nodes(*rows), digest="")


def test_two_taxonomies_of_the_same_nodes_are_equal():
    """A value: compared by what it says, its look-ups apart."""
    assert Taxonomy(nodes=TREE.nodes, digest=TREE.digest) == TREE
    assert "_index" not in repr(TREE)
