"""Raw conversations on disk, sealed one by one in segments of a few megabytes, until extraction has read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from sfumato.errors import StorageError, VaultError
from sfumato.model.conversation import PSEUDONYM_BYTES, Conversation, Message
from sfumato.model.private import Private
from sfumato.vault import container, durable, elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.keystore import EpochKey

SUFFIX = ".seg"
PURPOSE = "raw segment"
BLOCK_BYTES = 4 << 20
BLOCK_RECORDS = 16_384
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Segment(Private):
    """A segment that is on disk: its name (32 hex digits), how many conversations, SHA-256 of its ciphertext in hex."""

    name: str
    records: int
    sha256: str


class SegmentWriter(Private):
    """Seals conversations into segments. Use as a context manager.

    `add` promises nothing: a conversation is held in memory, and up to 256 of them are sealed there together. It is
    acknowledged when its segment stands in `written`, which is when the file, its name and its directory were flushed
    to the disk. Leaving the context, by an exception too (an input that breaks off), writes what was added; after a
    StorageError the unfinished segment is gone, those in `written` stay. A killed process leaves at most a temporary
    file of ciphertext that nothing reads. To ingest again is safe: a conversation that is there twice counts once.
    """

    __slots__ = ("_block", "_directory", "_draft", "_key", "_open", "_people", "_records", "_store", "written")

    def __init__(
        self,
        directory: Path,
        key: EpochKey,
        *,
        block_bytes: int = BLOCK_BYTES,
        block_records: int = BLOCK_RECORDS,
        store: SegmentStore | None = None,
    ) -> None:
        """store: where segments go if not into `directory`, which then holds a note of each."""
        if key.zone != "raw":
            raise ValueError("raw segments are sealed under the key of the raw zone")
        self._directory = durable.directory(directory)
        self._key = key
        self._people = key.people()
        self._block = block_bytes
        self._records = block_records
        self._draft = self._new()
        self._open = True
        self._store = store
        self.written: list[Segment] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            self.flush()
        self._open = False

    def add(self, conversation: Conversation) -> None:
        """Take one conversation to be sealed; a full segment is written.

        Raises:
            StorageError: the segment could not be written; the writer takes no more.
        """
        if not self._open:
            raise StorageError(f"{self._directory}: this writer is closed; open another")
        self._draft.add(encode(conversation), owner=conversation.unit_id)
        if self._draft.bytes >= self._block or len(self._draft) >= self._records:
            self.flush()

    def flush(self) -> None:
        """Write what was added so far; on return all of it is acknowledged.

        Raises:
            StorageError: it could not be written; the writer takes no more.
        """
        draft, self._draft = self._draft, self._new()
        if not len(draft):
            return
        name = draft.id.hex()
        try:
            digest = self._write(draft, name)
        except StorageError:
            self._open = False
            raise
        self.written.append(Segment(name=name, records=len(draft), sha256=digest))

    def _write(self, draft: container.Draft, name: str) -> str:
        if self._store is None:
            return draft.write(self._directory / f"{name}{SUFFIX}")
        return elsewhere.put(self._directory, name, draft.whole(), records=len(draft), store=self._store)

    def _new(self) -> container.Draft:
        return container.Draft(self._key, context=self._key.context(PURPOSE), people=self._people)


def segment_paths(directory: Path) -> list[Path]:
    """The segments of a directory, and notes of those elsewhere, in order of their (random) names."""
    return sorted(path for suffix in (SUFFIX, elsewhere.REF) for path in directory.glob(f"*{suffix}"))


def read_segment(path: Path, key: EpochKey, *, store: SegmentStore | None = None) -> Iterator[Conversation]:
    """The conversations of one segment, in order, one in memory at a time; without those of people who were cut.

    store: where it lies if not at `path`.

    Raises:
        VaultError: truncated, reordered, altered, renamed, records of another segment, another epoch's key.
        StorageError: the file, or the store, can't be read.
    """
    wanted = _wanted(path, key)
    if path.suffix == elsewhere.REF:
        found = container.records_in(elsewhere.fetch(path, store), key, wanted)
    else:
        found = container.records(path, key, wanted)
    yield from map(decode, found)


def conversations_in(path: Path, key: EpochKey) -> int:
    """How many conversations a segment holds, by its sealed index or its note. Raises VaultError and StorageError."""
    if path.suffix == elsewhere.REF:
        return elsewhere.read(path).records
    return container.count(path, key, _wanted(path, key))


def may_hold(path: Path, key: EpochKey, person: bytes) -> bool:
    """Whether a segment has a conversation of this pseudonym, by its sealed index; one elsewhere is not fetched for it.

    Raises:
        VaultError, StorageError: as `conversations_in`.
    """
    return path.suffix == elsewhere.REF or container.owns(path, key, _wanted(path, key), person)


def describe(path: Path, key: EpochKey) -> Segment:
    """What a receipt says of a segment, from the disk, or from the note of one elsewhere.

    Raises:
        VaultError: as `read_segment`, less what only the records themselves show.
        StorageError: the file can't be read.
    """
    digest = elsewhere.read(path).sha256 if path.suffix == elsewhere.REF else container.digest(path)
    return Segment(name=path.stem, records=conversations_in(path, key), sha256=digest)


def describe_unopened(path: Path) -> Segment:
    """The same of a segment that does not open: how many conversations it holds is not known, and told as 0.

    Raises:
        StorageError: the file can't be read.
    """
    return Segment(name=path.stem, records=0, sha256=container.digest(path))


def wipe_segments(directory: Path) -> int:
    """Unlink every segment and what a killed writer left; how many files. Destroy the key first: this only tidies up.

    Raises:
        StorageError: a file can't be removed.
    """
    return durable.remove([*segment_paths(directory), *directory.glob(f".*{durable.TEMPORARY}")], inside=directory)


def encode(conversation: Conversation) -> bytes:
    """Both pseudonyms, then compact JSON: [time, [[role, content], ...], {attribute: value}]."""
    time = conversation.timestamp
    text = _encode(
        [
            None if time is None else time.isoformat(),
            [(message.role, message.content) for message in conversation.messages],
            dict(conversation.attributes),
        ]
    )
    return conversation.conversation_id + conversation.unit_id + text.encode("utf-8", "surrogatepass")


def decode(record: bytes | bytearray) -> Conversation:
    """The conversation that `encode` wrote; it keeps no view of the record."""
    ids = 2 * PSEUDONYM_BYTES
    time, messages, attributes = json.loads(str(memoryview(record)[ids:], "utf-8", "surrogatepass"))
    return Conversation(
        conversation_id=bytes(record[:PSEUDONYM_BYTES]),
        unit_id=bytes(record[PSEUDONYM_BYTES:ids]),
        messages=tuple(Message(role=role, content=content) for role, content in messages),
        timestamp=None if time is None else datetime.fromisoformat(time),
        attributes=attributes,
    )


def _wanted(path: Path, key: EpochKey) -> container.Wanted:
    try:
        file_id = bytes.fromhex(path.stem)
    except ValueError:
        raise VaultError("a file in the vault does not bear a segment's name") from None
    return container.Wanted(context=key.context(PURPOSE), file_id=file_id, people=key.people())
