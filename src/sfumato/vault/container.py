"""A file of sealed records, its index sealed too: a cut, a swap or a foreign file shows before the first record.

offset  bytes
0       8     magic `SFSEAL1` and a zero byte
8       16    id of this file, random; the `segment` of every envelope in it
24      4     length of the sealed index, big-endian
28      ...   sealed index (record 0: length of every sealed record, 4 bytes each, big-endian), then records 1, 2, ...
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
from array import array
from typing import TYPE_CHECKING

from sfumato.errors import VaultError
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, OVERHEAD, Sealer

if TYPE_CHECKING:
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

    __slots__ = ("_sealed", "_sealer", "bytes", "id")

    def __init__(self, key: EpochKey, *, context: bytes) -> None:
        self.id = os.urandom(ID_BYTES)
        self.bytes = 0
        self._sealer = Sealer(key.secret, key_id=key.id, segment=self.id, context=context)
        self._sealed: list[bytes] = []

    def __len__(self) -> int:
        return len(self._sealed)

    def add(self, plaintext: bytes) -> None:
        """Seal one record."""
        sealed = self._sealer.seal(len(self._sealed) + 1, plaintext)
        self._sealed.append(sealed)
        self.bytes += len(sealed)

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
        lengths = array("I", map(len, self._sealed))
        if sys.byteorder == "little":
            lengths.byteswap()
        index = self._sealer.seal(0, lengths.tobytes())
        return [_HEAD.pack(MAGIC, self.id, len(index)), index, *self._sealed]


def records(path: Path, key: EpochKey, *, context: bytes, file_id: bytes | None = None) -> Iterator[bytes]:
    """The plaintext of each record, in order, one in memory at a time. `file_id`: the one expected, if it is known.

    Raises:
        VaultError: truncated, prolonged, another file, another key, or a record altered, moved or repeated.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        yield from _records(file, os.fstat(file.fileno()).st_size, key, context, file_id)


def records_in(content: bytes, key: EpochKey, *, context: bytes, file_id: bytes) -> Iterator[bytes]:
    """The same of a file that is in memory. Raises VaultError."""
    return _records(io.BytesIO(content), len(content), key, context, file_id)


def count(path: Path, key: EpochKey, *, context: bytes, file_id: bytes | None = None) -> int:
    """How many records the file holds, by its sealed index.

    Raises:
        VaultError: as `records`, less what only the records themselves show.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return len(_opened(file, os.fstat(file.fileno()).st_size, key, context, file_id)[1])


def digest(path: Path) -> str:
    """SHA-256 of the ciphertext, in hex.

    Raises:
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _records(
    file: io.BufferedIOBase, size: int, key: EpochKey, context: bytes, file_id: bytes | None
) -> Iterator[bytes]:
    sealer, lengths = _opened(file, size, key, context, file_id)
    for index, length in enumerate(lengths, 1):
        yield sealer.open(index, file.read(length))


def _opened(
    file: io.BufferedIOBase, size: int, key: EpochKey, context: bytes, file_id: bytes | None
) -> tuple[Sealer, array[int]]:
    """What opens the file's records, and their lengths, its size checked against them."""
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
    sealer = Sealer(key.secret, key_id=key.id, segment=found, context=context)
    lengths = array("I", sealer.open(0, file.read(index_bytes)))
    if sys.byteorder == "little":
        lengths.byteswap()
    total = _HEAD.size + index_bytes + sum(lengths)
    if size != total or any(length < OVERHEAD for length in lengths):
        raise VaultError(f"a sealed file is {'truncated' if size < total else 'longer than its index says'}")
    return sealer, lengths
