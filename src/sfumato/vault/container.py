"""A file of sealed records, its index sealed too: a cut, a swap or a foreign file shows before the first record.

offset  bytes
0       8     magic `SFSEAL1` and a zero byte
8       16    id of this file, random; the `segment` of every envelope in it
24      4     length of the sealed index, big-endian
28      ...   sealed index (record 0: length of every sealed record, 4 bytes each, big-endian), then records 1, 2, ...
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from array import array
from typing import TYPE_CHECKING

from sfumato.errors import VaultError
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, OVERHEAD, Place, open_sealed, seal

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.vault.keystore import EpochKey

MAGIC = b"SFSEAL1\0"
_HEAD = struct.Struct(">8s16sI")


class Draft(Private):
    """A file in the making: records are sealed as they come and held in memory until the whole is written.

    id: 16 random bytes, fresh for each draft, since an envelope's nonce follows from it.
    context: what the file is for, beyond the key's dataset, epoch and zone.
    """

    __slots__ = ("_context", "_key", "_sealed", "bytes", "id")

    def __init__(self, key: EpochKey, *, context: bytes) -> None:
        self.id = os.urandom(ID_BYTES)
        self.bytes = 0
        self._key = key
        self._context = context
        self._sealed: list[bytes] = []

    def __len__(self) -> int:
        return len(self._sealed)

    def add(self, plaintext: bytes) -> None:
        """Seal one record."""
        sealed = self._seal(len(self._sealed) + 1, plaintext)
        self._sealed.append(sealed)
        self.bytes += len(sealed)

    def write(self, path: Path) -> str:
        """Put the whole file on disk at once; its SHA-256 in hex. A draft is written once and then dropped.

        Raises:
            StorageError: the file is not there.
        """
        lengths = array("I", map(len, self._sealed))
        if sys.byteorder == "little":
            lengths.byteswap()
        index = self._seal(0, lengths.tobytes())
        pieces = [_HEAD.pack(MAGIC, self.id, len(index)), index, *self._sealed]
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        durable.write(path, pieces)
        return digest.hexdigest()

    def _seal(self, index: int, plaintext: bytes) -> bytes:
        return seal(
            self._key.secret, Place(key_id=self._key.id, segment=self.id, index=index), plaintext, context=self._context
        )


def records(path: Path, key: EpochKey, *, context: bytes, file_id: bytes | None = None) -> Iterator[bytes]:
    """The plaintext of each record, in order, one in memory at a time. `file_id`: the one expected, if it is known.

    Raises:
        VaultError: truncated, prolonged, another file, another key, or a record altered, moved or repeated.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        found, lengths = _opened(file, key, context, file_id)
        for index, length in enumerate(lengths, 1):
            place = Place(key_id=key.id, segment=found, index=index)
            yield open_sealed(key.secret, place, file.read(length), context=context)


def count(path: Path, key: EpochKey, *, context: bytes, file_id: bytes | None = None) -> int:
    """How many records the file holds, by its sealed index.

    Raises:
        VaultError: as `records`, less what only the records themselves show.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return len(_opened(file, key, context, file_id)[1])


def digest(path: Path) -> str:
    """SHA-256 of the ciphertext, in hex.

    Raises:
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(file: io.BufferedReader, key: EpochKey, context: bytes, file_id: bytes | None) -> tuple[bytes, array[int]]:
    """The file's id and the lengths of its records, the file's size checked against them."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise VaultError("a sealed file is truncated")
    magic, found, index_bytes = _HEAD.unpack(head)
    if magic != MAGIC:
        raise VaultError("a file in the vault is no sealed file of version 1")
    if file_id is not None and found != file_id:
        raise VaultError("a sealed file is not the one its name says: it was renamed or put in another's place")
    if _HEAD.size + index_bytes > size:
        raise VaultError("a sealed file is truncated")
    index = open_sealed(
        key.secret, Place(key_id=key.id, segment=found, index=0), file.read(index_bytes), context=context
    )
    lengths = array("I", index)
    if sys.byteorder == "little":
        lengths.byteswap()
    total = _HEAD.size + index_bytes + sum(lengths)
    if size != total or any(length < OVERHEAD for length in lengths):
        raise VaultError(f"a sealed file is {'truncated' if size < total else 'longer than its index says'}")
    return found, lengths
