"""The Merkle tree of RFC 6962 (RFC 9162, section 2.1) over hashes of perfect subtrees: roots and proofs; pure.

A perfect subtree is named by the number of leaves up to its end and by its level: (8, 2) covers leaves 4 to 7. It never
changes once its last leaf is there, so a store only ever adds to them. Root and proofs read O(log n) of them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    HashAt = Callable[[int, int], bytes]  # (end, level) of a perfect subtree -> its 32 bytes

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def peaks(size: int) -> list[tuple[int, int]]:
    """(end, level) of the perfect subtrees that make up the first `size` leaves, largest first."""
    found, end = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            end += 1 << level
            found.append((end, level))
    return found


class Frontier:
    """The peaks of a growing tree: all it takes to add leaves and to say the root."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(hashes)
        if len(self._peaks) != size.bit_count():
            raise ValueError("a frontier has one hash for each bit set in its size")

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; (end, level, hash) of each subtree above level 0 that it completes, lowest first."""
        self.size += 1
        made, node = [], leaf
        for level in range(1, (self.size & -self.size).bit_length()):
            node = node_hash(self._peaks.pop(), node)
            made.append((self.size, level, node))
        self._peaks.append(node)
        return made

    def root(self) -> bytes:
        """The root of all leaves so far; of none, the hash of the empty string."""
        if not self._peaks:
            return sha256().digest()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root(size: int, hash_at: HashAt) -> bytes:
    """MTH of the first `size` leaves (RFC 6962, section 2.1)."""
    return Frontier(size, (hash_at(*peak) for peak in peaks(size))).root()


def inclusion(index: int, size: int, hash_at: HashAt) -> list[bytes]:
    """PATH(index, first `size` leaves), from the leaf up (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("an inclusion proof is of a leaf within the tree")
    start, end, proof = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range(middle, end, hash_at))
            end = middle
        else:
            proof.append(_range(start, middle, hash_at))
            start = middle
    return proof[::-1]


def consistency(old: int, new: int, hash_at: HashAt) -> list[bytes]:
    """PROOF(old, first `new` leaves), in the order of RFC 6962, section 2.1.2; empty where nothing is to prove."""
    if not 0 <= old <= new:
        raise ValueError("a consistency proof leads from a smaller tree to a larger")
    if old in {0, new}:
        return []
    start, end, proof = 0, new, []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range(middle, end, hash_at))
            end = middle
        else:
            proof.append(_range(start, middle, hash_at))
            start = middle
    if start:  # the old tree is not itself a subtree whose root the verifier has
        proof.append(_range(start, end, hash_at))
    return proof[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: list[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf's hash to this root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of `old` leaves is the beginning of that of `new` (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old <= new or (old in {0, new} and proof):
        return False
    if old in {0, new}:
        return old_root == (new_root if old == new else Frontier().root())
    path: Iterator[bytes] = iter([old_root, *proof] if old & (old - 1) == 0 else proof)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = next(path, b"")
    before = after = first
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(width: int) -> int:
    """The largest power of two below the width."""
    return 1 << (width - 1).bit_length() - 1


def _range(start: int, end: int, hash_at: HashAt) -> bytes:
    """The root of the leaves from `start` to `end`, where `start` is a multiple of a power of two >= the width."""
    inner = ((start + offset, level) for offset, level in peaks(end - start))
    return Frontier(end - start, (hash_at(*peak) for peak in inner)).root()
