"""Segments that lie in another store: a note of each lies where the segment would, and says whether it counts.

    name.ref     the object is there, whole and checked: its conversations are acknowledged
    name.stray   an object of this name may be there and counts for nothing: it is being put, or is to be removed

An object is put between a stray note and a note that counts; it is removed between one that counts no more and none.
So a crash leaves no object that nothing knows of, and no note that counts without its object.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeGuard

from sfumato.errors import StorageError, VaultError
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

REF = ".ref"
STRAY = ".stray"
FORMAT = "sfumato.segment/1"


class SegmentStore(Protocol):
    """Holds whole segments, which are ciphertext. url: where, as the operator named it; it holds no secret.

    Every method raises StorageError where the store does not answer, refuses, or gives what it should not.
    """

    @property
    def url(self) -> str: ...

    def put(self, name: str, content: bytes) -> None:
        """Store it, never over anything else; when this returns it is there, whole."""

    def get(self, name: str) -> bytes | None:
        """What lies under the name, or None."""

    def remove(self, names: Sequence[str]) -> None:
        """Delete what lies under these names; when this returns the store lists none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Where a segment lies and how it is known again: bytes and SHA-256 (hex) of its ciphertext, how many records."""

    store: str
    bytes: int
    records: int
    sha256: str

    def __repr__(self) -> str:
        return f"<Note of a segment in {self.store}>"


def put(folder: Path, name: str, pieces: Iterable[bytes], *, records: int, store: SegmentStore) -> str:
    """Store a segment; its SHA-256 in hex. When this returns it is acknowledged.

    Raises:
        StorageError: it is not; at most a stray object is left, which the discard removes.
    """
    content = b"".join(pieces)
    note = Note(store=store.url, bytes=len(content), records=records, sha256=sha256(content).hexdigest())
    stray = folder / f"{name}{STRAY}"
    durable.write(stray, [json.dumps({"format": FORMAT, **asdict(note)}).encode()])
    store.put(_object(stray), content)
    durable.rename(stray, stray.with_suffix(REF))
    return note.sha256


def read(path: Path) -> Note:
    """The note in a file.

    Raises:
        VaultError: it is none. StorageError: unreadable.
    """
    with durable.storage(path), durable.reading(path) as file:
        content = file.read()
    try:
        document = json.loads(content)
        known = document.pop("format") == FORMAT
        note = Note(**document)
    except (ValueError, TypeError, KeyError, AttributeError):
        known = False
    if not known:
        raise VaultError("a note of a segment in another store is damaged")
    return note


def fetch(path: Path, store: SegmentStore | None) -> bytes:
    """The segment that a note speaks of, its hash checked.

    Raises:
        VaultError: it is gone, or another one. StorageError: the store can't be used, or another one is named.
    """
    note = read(path)
    content = _named(note.store, store).get(_object(path))
    if content is None:
        raise VaultError(f"a segment is gone from {note.store}: something else deletes there; restore it from a copy")
    if len(content) != note.bytes or sha256(content).hexdigest() != note.sha256:
        raise VaultError(f"a segment in {note.store} is not the one that was put there")
    return content


def retire(path: Path) -> None:
    """From now on the object counts for nothing; `clear` removes it."""
    durable.rename(path, path.with_suffix(STRAY))


def stores(folder: Path) -> list[str]:
    """Every store that a note of this folder names."""
    return sorted({read(path).store for suffix in (REF, STRAY) for path in folder.glob(f"*{suffix}")})


def clear(folder: Path, store: SegmentStore | None) -> None:
    """Remove every object that counts for nothing, then its note.

    Raises:
        StorageError: the store can't be used, or another one is named; the notes stay.
    """
    strays = sorted(folder.glob(f"*{STRAY}"))
    if not strays:
        return
    for url in {read(path).store for path in strays}:
        _named(url, store).remove([_object(path) for path in strays if read(path).store == url])
    durable.remove(strays, inside=folder)


def still_there(store: SegmentStore, part: str, names: Iterable[str]) -> bool:
    """Whether a segment of this part (`dataset/part`) is still in the store."""
    return any(store.get(f"{part}/{name}.seg") is not None for name in names)


def _object(path: Path) -> str:
    """The object's name in the store, as the file would be called under the raw zone."""
    return f"{path.parent.parent.name}/{path.parent.name}/{path.stem}.seg"


def is_at(store: SegmentStore | None, url: str) -> TypeGuard[SegmentStore]:
    """Whether this is the store of that URL; what follows a `?` says how it is used, not where it is."""
    return store is not None and store.url.partition("?")[0] == url.partition("?")[0]


def _named(url: str, store: SegmentStore | None) -> SegmentStore:
    if not is_at(store, url):
        raise StorageError(f"sealed segments of this dataset lie in {url}: name it with --raw-store")
    return store
