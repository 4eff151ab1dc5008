"""Everything recomputed from the entries themselves: what that proves, what it can't, which entry is the first bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.audit.checkpoint import Checkpoint, LogKey, read
from sfumato.audit.replay import StoredEntry, Tampered, replay
from sfumato.audit.tree import Frontier
from sfumato.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sfumato.audit.replay import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A log as it lies there. nodes: None where none are kept. notes: with the size that each is filed under."""

    keys: tuple[LogKey, ...]
    entries: Iterator[StoredEntry]
    nodes: Iterator[Node] | None
    notes: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verification found.

    signed: how many entries, from the first, the largest good checkpoint covers. root: of all entries, hex.
    first_bad: number of the first entry that may be wrong, with the problem in one line; None where all is good.
    """

    good: bool
    entries: int
    signed: int
    checkpoints: int
    root: str
    first_bad: int | None
    problem: str | None
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the caller knows from elsewhere: the log's public keys, and a checkpoint of it. None: nothing."""

    keys: tuple[LogKey, ...] | None = None
    pinned: bytes | None = None


def verify(stored: Stored, trust: Trust) -> Report:
    """Read the whole log against its hashes and its checkpoints. Never raises for what the log holds.

    Raises:
        InputError: the pinned checkpoint is not one that these keys signed.
        StorageError: the log can't be read.
    """
    keys = stored.keys if trust.keys is None else trust.keys
    pinned = None if trust.pinned is None else _pinned(trust.pinned, keys)
    frontier = Frontier()
    signed: tuple[Checkpoint, ...] = ()
    try:
        signed = _signed(stored.notes, keys)
        known = sorted((*signed, pinned) if pinned else signed, key=lambda one: one.size)
        replay(frontier, stored.entries, stored.nodes, known)
    except Tampered as found:
        return _bad(found, frontier, signed)
    covered = max((one.size for one in (*signed, *([pinned] if pinned else []))), default=0)
    return Report(
        good=True,
        entries=frontier.size,
        signed=covered,
        checkpoints=len(signed),
        root=frontier.root().hex(),
        first_bad=None,
        problem=None,
        proves=tuple(_proves(frontier.size, covered, trust)),
        does_not_prove=tuple(_does_not_prove(frontier.size, covered, trust)),
    )


def _pinned(note: bytes, keys: Sequence[LogKey]) -> Checkpoint:
    try:
        return read(note, keys)
    except InputError as problem:
        raise InputError(f"the pinned checkpoint: {problem}") from None


def _signed(notes: Sequence[tuple[int, bytes]], keys: Sequence[LogKey]) -> tuple[Checkpoint, ...]:
    found: list[Checkpoint] = []
    for size, note in notes:
        good = found[-1].size if found else 0
        try:
            one = read(note, keys)
        except InputError as problem:
            raise Tampered(good, f"the checkpoint after it does not hold: {problem}") from None
        if one.size != size or (found and one.size <= good):
            raise Tampered(good, "the checkpoints after it are moved or doubled")
        found.append(one)
    return tuple(found)


def _bad(found: Tampered, frontier: Frontier, signed: Sequence[Checkpoint]) -> Report:
    return Report(
        good=False,
        entries=frontier.size,
        signed=max((one.size for one in signed if one.size <= found.entry), default=0),
        checkpoints=len(signed),
        root=frontier.root().hex(),
        first_bad=found.entry,
        problem=str(found),
        proves=(),
        does_not_prove=("Nothing from this entry on is as it was written, or it can't be told.",),
    )


def _proves(size: int, covered: int, trust: Trust) -> Iterator[str]:
    yield (
        f"All {size} entries are numbered without a gap, and each field is a closed word, a name, a digest, an id or a "
        "charge: none can hold a sentence or a number of people."
    )
    if covered:
        whose = "the key you gave" if trust.keys is not None else "the key kept beside the log"
        yield f"Entries 0 to {covered - 1} are, in number, order and every byte, those that {whose} signed."
    if trust.pinned is not None:
        yield "The log continues the checkpoint you gave: nothing before it was cut off, changed or replaced."


def _does_not_prove(size: int, covered: int, trust: Trust) -> Iterator[str]:
    if covered < size:
        yield (
            f"Entries {covered} to {size - 1} are signed by no checkpoint: who can write the log can still change them."
        )
    if trust.keys is None:
        yield "Who signed: the key is the one kept beside the log; give the one you know with --public-key."
    if trust.pinned is None:
        yield "That no end was cut off together with its checkpoints: give one kept elsewhere with --checkpoint."
    yield "That everything done was logged, or that the holder of the signing key signs the same log to everybody."
