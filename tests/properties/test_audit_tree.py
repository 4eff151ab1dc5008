"""The tree is RFC 6962's: roots and proofs agree with its recursive definitions, and no wrong proof is accepted."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.audit import tree

LEAVES = [str(number).encode() for number in range(3000)]


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    """Section 2.1, word for word, without the code under test."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """Section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """Section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


class Store:
    """The perfect subtrees of all leaves, and how often one was read."""

    def __init__(self) -> None:
        self.hashes, self.reads = {}, 0
        frontier = tree.Frontier()
        for upto, leaf in enumerate(LEAVES, 1):
            self.hashes[upto, 0] = tree.leaf_hash(leaf)
            for end, level, node in frontier.append(self.hashes[upto, 0]):
                self.hashes[end, level] = node

    def __call__(self, upto: int, level: int) -> bytes:
        self.reads += 1
        return self.hashes[upto, level]


STORE = Store()
SIZES = range(1, 65)


@pytest.mark.parametrize("size", SIZES)
def test_root_and_every_proof_of_a_small_tree_are_those_of_the_definition_and_verify(size: int) -> None:
    leaves, root = LEAVES[:size], mth(LEAVES[:size])
    assert tree.root(size, STORE) == root
    for index in range(size):
        proof = tree.inclusion(index, size, STORE)
        assert proof == path(index, leaves)
        assert tree.verify_inclusion(index, size, tree.leaf_hash(leaves[index]), proof, root)
    for old in range(size + 1):
        proof = tree.consistency(old, size, STORE)
        assert proof == (subproof(old, leaves, whole=True) if old else [])
        assert tree.verify_consistency(old, mth(leaves[:old]), size, root, proof)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_proofs_of_any_larger_tree_verify_and_read_but_a_few_hashes(data: st.DataObject) -> None:
    size = data.draw(st.integers(65, len(LEAVES)))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = tree.root(size, STORE), tree.root(old, STORE)
    STORE.reads = 0
    included, consistent = tree.inclusion(index, size, STORE), tree.consistency(old, size, STORE)
    assert STORE.reads <= 4 * size.bit_length()
    assert tree.verify_inclusion(index, size, tree.leaf_hash(LEAVES[index]), included, root)
    assert tree.verify_consistency(old, old_root, size, root, consistent)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_with_anything_changed_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 200))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    leaf, root, old_root = STORE.hashes[index + 1, 0], tree.root(size, STORE), tree.root(old, STORE)

    def changed(proof: list[bytes]) -> list[bytes]:
        how = data.draw(st.sampled_from(["flip", "drop", "double", "add"]))
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        flipped = bytes([proof[at][0] ^ bit]) + proof[at][1:]
        parts = {"flip": [flipped], "drop": [], "double": [proof[at], proof[at]], "add": [proof[at], leaf]}
        return [*proof[:at], *parts[how], *proof[at + 1 :]]

    assert not tree.verify_inclusion(index, size, leaf, changed(tree.inclusion(index, size, STORE)), root)
    proof = tree.consistency(old, size, STORE)
    assert not tree.verify_consistency(old, old_root, size, root, changed(proof))
    assert not tree.verify_consistency(old, root, size, root, proof)
    assert not tree.verify_consistency(old, old_root, size, old_root, proof)


@pytest.mark.parametrize("index", range(16))
def test_a_leaf_is_not_proved_at_another_place_nor_a_node_as_a_leaf(index: int) -> None:
    proof, root = tree.inclusion(index, 16, STORE), tree.root(16, STORE)
    leaf = STORE.hashes[index + 1, 0]
    assert [at for at in range(16) if tree.verify_inclusion(at, 16, leaf, proof, root)] == [index]
    inner = tree.leaf_hash(STORE.hashes[1, 0] + STORE.hashes[2, 0])
    assert not tree.verify_inclusion(0, 8, inner, tree.inclusion(0, 16, STORE)[1:], root)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="within the tree"):
        tree.inclusion(index, size, STORE)
    assert not tree.verify_inclusion(index, size, b"", [], b"")


def test_a_larger_tree_is_never_the_beginning_of_a_smaller() -> None:
    with pytest.raises(ValueError, match="from a smaller tree"):
        tree.consistency(5, 4, STORE)
    assert not tree.verify_consistency(5, tree.root(5, STORE), 4, tree.root(4, STORE), [])
    assert not tree.verify_consistency(0, b"anything", 4, tree.root(4, STORE), [])


def test_a_frontier_needs_a_hash_for_each_bit_of_its_size() -> None:
    with pytest.raises(ValueError, match="one hash for each bit"):
        tree.Frontier(3, [b""])
