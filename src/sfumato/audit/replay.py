"""Entries read back one by one against hashes stored beside them and roots signed over them; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sfumato.audit.event import decode
from sfumato.audit.tree import leaf_hash
from sfumato.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sfumato.audit.checkpoint import Checkpoint
    from sfumato.audit.tree import Frontier

    Node = tuple[int, int, bytes]


class Tampered(StorageError):  # noqa: N818 - the name says what happened
    """The log is not what was written. `entry`: the number of the first entry that may be wrong."""

    def __init__(self, entry: int, what: str) -> None:
        self.entry = entry
        super().__init__(f"audit log, entry {entry}: {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as it lies there; leaf: the hash stored beside it, or None where none is."""

    seq: int
    body: bytes
    leaf: bytes | None = None


def replay(
    frontier: Frontier, entries: Iterable[StoredEntry], nodes: Iterator[Node] | None, signed: Iterable[Checkpoint]
) -> Frontier:
    """Grow the frontier by the entries from its size on; returns it at the log's end.

    nodes: the stored hashes that these entries complete, in that order, or None. signed: by size, none below the
    frontier's own; the root at each must be the one signed.

    Raises:
        Tampered: anything is changed, missing, doubled, out of order or left over.
    """
    pending, good = deque(signed), frontier.size
    good = _compare(frontier, pending, good)
    for entry in entries:
        leaf = _leaf(entry, frontier.size)
        for made in frontier.append(leaf):
            if nodes is not None and next(nodes, None) != made:
                first = made[0] - (1 << made[1])
                raise Tampered(first, f"the hash stored over entries {first} to {made[0] - 1} is not theirs")
        good = _compare(frontier, pending, good)
    if pending:
        raise Tampered(frontier.size, f"missing: a signed checkpoint counts {pending[-1].size} entries")
    if nodes is not None and next(nodes, None) is not None:
        raise Tampered(frontier.size, "missing, or a hash is stored of an entry that never was")
    return frontier


def _leaf(entry: StoredEntry, expected: int) -> bytes:
    if entry.seq > expected:
        raise Tampered(expected, "missing")
    try:
        number, _ = decode(entry.body)
    except InputError:
        _changed(expected)
    leaf = leaf_hash(entry.body)
    if (entry.seq, number) != (expected, expected) or entry.leaf not in {None, leaf}:
        _changed(expected)
    return leaf


def _changed(entry: int) -> NoReturn:
    raise Tampered(entry, "changed since it was written, moved, or no entry at all")


def _compare(frontier: Frontier, pending: deque[Checkpoint], good: int) -> int:
    """The size up to which all is as signed."""
    while pending and pending[0].size == frontier.size:
        checkpoint = pending.popleft()
        if checkpoint.root != frontier.root():
            first = min(good, max(checkpoint.size - 1, 0))
            raise Tampered(first, f"one of entries {first} to {checkpoint.size - 1} is not the one that was signed")
        good = checkpoint.size
    return good
