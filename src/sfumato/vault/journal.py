"""What was paid for, sealed as it comes: a stopped run reads it and pays for nothing twice.

    name.000001.jnl    one file for each process that wrote, in their order, never written to by a second one, since an
                       envelope's nonce follows from its file and its place in it

offset  bytes
0       8     magic `SFJRNL1` and a zero byte
8       16    id of this file, random
24      ...   entries: length (4 bytes, big-endian), sealed entry (32 bytes of key, then the value)
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sfumato.errors import StorageError, VaultError
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, OVERHEAD, Place, context_of, open_sealed, seal

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.vault.keystore import EpochKey

MAGIC = b"SFJRNL1\0"
SUFFIX = ".jnl"
PURPOSE = "journal"
KEY_BYTES = 32
FLUSH_EVERY = 64  # entries that a power cut may take; a killed process loses none
_LENGTH = struct.Struct(">I")


class Journal(Private):
    """Bytes by key, the last one put counts. Use as a context manager; one thread at a time.

    name: what the journal belongs to, such as a segment; its entries open under no other name.
    """

    __slots__ = ("_closed", "_context", "_entries", "_file", "_folder", "_id", "_index", "_key", "_name")

    def __init__(self, folder: Path, name: str, key: EpochKey) -> None:
        self._folder = durable.directory(folder)
        self._name = name
        self._key = key
        self._context = key.context(PURPOSE) + context_of(name)
        self._file: io.BufferedWriter | None = None
        self._id = os.urandom(ID_BYTES)
        self._index = 0
        self._closed = False
        self._entries: dict[bytes, bytes] = {}
        for path in self._paths():
            self._entries.update(self._read(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._file is not None:
            with durable.storage(self._folder):
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def get(self, key: bytes) -> bytes | None:
        """What was put under this key, by this process or by one before it."""
        return self._entries.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Write it down; when this returns, the system has it.

        Raises:
            StorageError: it could not be written, or the journal is closed; the entry is not there.
        """
        if self._closed:  # by a thread that outlived its run: what it notes would begin a file in the middle
            raise StorageError(f"{self._folder}: this journal is closed")
        if len(key) != KEY_BYTES:
            raise ValueError(f"a journal's keys have {KEY_BYTES} bytes")
        place = Place(key_id=self._key.id, segment=self._id, index=self._index)
        sealed = seal(self._key.secret, place, key + value, context=self._context)
        self._index += 1
        with durable.storage(self._folder):
            self._append(_LENGTH.pack(len(sealed)) + sealed)
        self._entries[key] = value

    def values(self) -> Iterator[bytes]:
        """Every value, in the order in which its key was first put."""
        return iter(self._entries.values())

    def wipe(self) -> None:
        """Unlink the journal's files: what they held is safe elsewhere."""
        self.__exit__()
        self._entries.clear()
        durable.remove(self._paths(), inside=self._folder)

    def _append(self, entry: bytes) -> None:
        """One entry at the end of this process's file; after a failure, which may have left half of one, a new file."""
        try:
            if self._file is None:
                path = self._folder / f"{self._name}.{len(self._paths()) + 1:06d}{SUFFIX}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.fdopen(os.open(path, flags, 0o600), "wb")
                self._file.write(MAGIC + self._id)
                durable.sync(self._folder)
            self._file.write(entry)
            self._file.flush()
            if self._index % FLUSH_EVERY == 0:
                os.fsync(self._file.fileno())
        except OSError:
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
            self._id, self._index, self._file = os.urandom(ID_BYTES), 0, None
            raise

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}.*{SUFFIX}"))

    def _read(self, path: Path) -> Iterator[tuple[bytes, bytes]]:
        """The entries of one file. What breaks off at its end was never acknowledged; anything else is an alarm.

        Raises:
            VaultError: another journal's file, or an entry altered, moved or left out.
        """
        with durable.storage(path), durable.reading(path) as file:
            head = file.read(len(MAGIC) + ID_BYTES)
            if len(head) < len(MAGIC) + ID_BYTES:
                return
            if not head.startswith(MAGIC):
                raise VaultError("a file in the vault is no journal of version 1")
            index, size = 0, os.fstat(file.fileno()).st_size
            while len(prefix := file.read(_LENGTH.size)) == _LENGTH.size:
                (length,) = _LENGTH.unpack(prefix)
                sealed = file.read(length)
                if len(sealed) < length or length < OVERHEAD:
                    return
                place = Place(key_id=self._key.id, segment=head[len(MAGIC) :], index=index)
                try:
                    entry = open_sealed(self._key.secret, place, sealed, context=self._context)
                except VaultError:
                    if file.tell() == size:
                        return
                    raise
                yield entry[:KEY_BYTES], entry[KEY_BYTES:]
                index += 1
