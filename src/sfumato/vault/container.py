"""A file of sealed records, its index sealed too: a cut, a swap or a foreign file shows before the first record.

offset  bytes
0       8     magic `SFSEAL1`, or `SFSEAL2` where each record has an owner, and a zero byte
8       16    id of this file, random; the `segment` of every envelope in it
24      4     length of the sealed index, big-endian
28      ...   sealed index (record 0: length of every sealed record, 4 bytes each, big-endian), then records 1, 2, ...

Version 2 seals each record under its owner's key (sfumato.vault.people) and the index under the index key; the index
ends with the owners' pseudonyms, 16 bytes each. Records whose owner was cut from the key are passed over, unread.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import VaultError
from sfumato.model.conversation import PSEUDONYM_BYTES
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, OVERHEAD, Place, Sealer, open_into, seal_together, wipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.vault.keystore import EpochKey
    from sfumato.vault.people import People

MAGIC = b"SFSEAL1\0"
OWNED = b"SFSEAL2\0"
TOGETHER = 256  # records of owners that are sealed in one go
_HEAD = struct.Struct(">8s16sI")


class Draft(Private):
    """A file in the making: records are sealed as they come, those of owners some at a time, and held in memory.

    id: 16 random bytes, fresh for each draft, since an envelope's nonce follows from it.
    context: what the file is for, beyond the key's dataset, epoch and zone. people: owners' keys, for version 2.
    """

    __slots__ = ("_context", "_key_id", "_owners", "_pending", "_people", "_sealed", "_sealer", "bytes", "id")

    def __init__(self, key: EpochKey, *, context: bytes, people: People | None = None) -> None:
        self.id = os.urandom(ID_BYTES)
        self.bytes = 0
        self._key_id = key.id
        self._context = context
        secret = key.secret if people is None else people.index
        self._sealer = Sealer(secret, key_id=key.id, segment=self.id, context=context)
        self._people = people
        self._owners = bytearray()
        self._sealed: list[bytes] = []
        self._pending: list[tuple[bytes, bytes]] = []  # owner's key and plaintext

    def __len__(self) -> int:
        return len(self._sealed) + len(self._pending)

    def add(self, plaintext: bytes, *, owner: bytes = b"") -> None:
        """Seal one record.

        Raises:
            VaultError: its owner was cut from the key: nothing of theirs can be sealed any more.
        """
        self.bytes += len(plaintext) + OVERHEAD
        if self._people is None:
            self._sealed.append(self._sealer.seal(len(self._sealed) + 1, plaintext))
            return
        secret = self._people.key_of(owner)
        if secret is None:
            raise VaultError("this person was forgotten: nothing of theirs is sealed under this key any more")
        self._owners += owner
        self._pending.append((secret, plaintext))
        if len(self._pending) >= TOGETHER:
            self._seal()

    def _seal(self) -> None:
        first = Place(key_id=self._key_id, segment=self.id, index=len(self._sealed) + 1)
        secrets, plaintexts = zip(*self._pending, strict=True)
        self._sealed += seal_together(secrets, plaintexts, first, context=self._context)
        self._pending.clear()

    def write(self, path: Path) -> str:
        """Put the whole file on disk at once; its SHA-256 in hex. A draft is written once and then dropped.

        Raises:
            StorageError: the file is not there.
        """
        digest = hashlib.sha256()
        pieces = self.whole()
        for piece in pieces:
            digest.update(piece)
        durable.write(path, pieces)
        return digest.hexdigest()

    def whole(self) -> list[bytes]:
        """The bytes of the file, in pieces; asked for once."""
        if self._pending:
            self._seal()
        lengths = array("I", map(len, self._sealed))
        if sys.byteorder == "little":
            lengths.byteswap()
        index = self._sealer.seal(0, lengths.tobytes() + self._owners)
        return [_HEAD.pack(MAGIC if self._people is None else OWNED, self.id, len(index)), index, *self._sealed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a file should be. file_id: the one expected, if it is known. people: owners' keys, of version 2."""

    context: bytes
    file_id: bytes | None = None
    people: People | None = None


def records(path: Path, key: EpochKey, wanted: Wanted) -> Iterator[bytearray]:
    """The plaintext of each record, in order, one in memory at a time: wiped when the next one is asked for.

    Records whose owner was cut are left out.

    Raises:
        VaultError: truncated, prolonged, another file, another key, or a record altered, moved or repeated.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        yield from _records(file, os.fstat(file.fileno()).st_size, key, wanted)


def records_in(content: bytes, key: EpochKey, wanted: Wanted) -> Iterator[bytearray]:
    """The same of a file that is in memory. Raises VaultError."""
    return _records(io.BytesIO(content), len(content), key, wanted)


def count(path: Path, key: EpochKey, wanted: Wanted) -> int:
    """How many records the file holds, by its sealed index; those of people who were cut count too.

    Raises:
        VaultError: as `records`, less what only the records themselves show.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return len(_opened(file, os.fstat(file.fileno()).st_size, key, wanted).lengths)


def owns(path: Path, key: EpochKey, wanted: Wanted, owner: bytes) -> bool:
    """Whether a record of the file is this owner's, by its sealed index. Raises: as `count`."""
    with durable.storage(path), durable.reading(path) as file:
        index = _opened(file, os.fstat(file.fileno()).st_size, key, wanted)
        return any(index.owner(number) == owner for number in range(1, len(index.lengths) + 1))


def digest(path: Path) -> str:
    """SHA-256 of the ciphertext, in hex.

    Raises:
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Index(Private):
    file_id: bytes
    sealer: Sealer
    lengths: array[int]
    owners: bytes

    def owner(self, number: int) -> bytes:
        """Of a record; they count from 1."""
        return self.owners[(number - 1) * PSEUDONYM_BYTES : number * PSEUDONYM_BYTES]


def _records(file: io.BufferedIOBase, size: int, key: EpochKey, wanted: Wanted) -> Iterator[bytearray]:
    index = _opened(file, size, key, wanted)
    for number, length in enumerate(index.lengths, 1):
        sealed = file.read(length)
        if wanted.people is None:
            plaintext = index.sealer.open_into(number, sealed)
        else:
            secret = wanted.people.key_of(index.owner(number))
            if secret is None:
                continue
            place = Place(key_id=key.id, segment=index.file_id, index=number)
            plaintext = open_into(secret, place, sealed, context=wanted.context)
        try:
            yield plaintext
        finally:
            wipe(plaintext)


def _opened(file: io.BufferedIOBase, size: int, key: EpochKey, wanted: Wanted) -> _Index:
    """The index, the file's size checked against it."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise VaultError("a sealed file is truncated")
    magic, found, index_bytes = _HEAD.unpack(head)
    if magic != (MAGIC if wanted.people is None else OWNED):
        raise VaultError(f"a file in the vault is no sealed file of version {1 if wanted.people is None else 2}")
    if wanted.file_id is not None and found != wanted.file_id:
        raise VaultError("a sealed file is not the one its name says: it was renamed or put in another's place")
    if _HEAD.size + index_bytes > size:
        raise VaultError("a sealed file is truncated")
    secret = key.secret if wanted.people is None else wanted.people.index
    sealer = Sealer(secret, key_id=key.id, segment=found, context=wanted.context)
    index = _parsed(found, sealer, sealer.open(0, file.read(index_bytes)), owned=wanted.people is not None)
    total = _HEAD.size + index_bytes + sum(index.lengths)
    if size != total or any(length < OVERHEAD for length in index.lengths):
        raise VaultError(f"a sealed file is {'truncated' if size < total else 'longer than its index says'}")
    return index


def _parsed(file_id: bytes, sealer: Sealer, index: bytes, *, owned: bool) -> _Index:
    number, odd = divmod(len(index), 4 + PSEUDONYM_BYTES if owned else 4)
    if odd:
        raise VaultError("the index of a sealed file has another form")
    lengths = array("I", index[: 4 * number])
    if sys.byteorder == "little":
        lengths.byteswap()
    return _Index(file_id=file_id, sealer=sealer, lengths=lengths, owners=index[4 * number :])
