"""Epoch keys: one random key for each dataset, epoch and zone, wrapped, each in a file that can be destroyed."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote, unquote

from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, KEY_BYTES, OVERHEAD, Place, context_of, open_sealed, seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.vault.keys import RootKey

Zone = Literal["raw", "derived"]
SUFFIX = ".key"
MAGIC = b"SFKEY1\n\0"
FILE_BYTES = len(MAGIC) + ID_BYTES + KEY_BYTES + OVERHEAD
NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EpochKey(Private):
    """The key of one dataset, epoch and zone: whoever holds it can seal and open there, and nowhere else.

    id: 16 random bytes, public. secret: 32 bytes.
    """

    dataset: str
    epoch: str
    zone: Zone
    id: bytes
    secret: bytes

    def fingerprint(self) -> str:
        """HMAC-SHA256(key, `receipt`) in hex: tells later whether a key at hand is the destroyed one; opens nothing."""
        return hmac.digest(self.secret, b"receipt", "sha256").hex()

    def context(self, purpose: str) -> bytes:
        """Associated data for what is sealed under this key."""
        return context_of(purpose, self.dataset, self.epoch, self.zone)


class EpochKeys(Private):
    """The key store: a directory of its own, outside any database and out of backups.

    To destroy a key is to overwrite, unlink and flush its file; after that nothing sealed under it can be opened,
    by us or by anyone who holds the root key, as far as the storage keeps no old copy (see the receipt).
    """

    __slots__ = ("_directory", "_wrapping")

    def __init__(self, directory: Path, root: RootKey) -> None:
        self._directory = directory
        self._wrapping = root.derive("epoch key wrapping")

    def create(self, dataset: str, epoch: str, zone: Zone) -> EpochKey:
        """The key, made if it is not there. Two processes at once get the same one.

        Raises:
            VaultError: the file there is damaged, or wrapped by another root key.
            StorageError: the store can't be written.
        """
        durable.directory(self._directory)
        with durable.locked(self._directory):
            try:
                return self.open(dataset, epoch, zone)
            except KeyMissing:
                key = EpochKey(
                    dataset=dataset, epoch=epoch, zone=zone, id=os.urandom(ID_BYTES), secret=os.urandom(KEY_BYTES)
                )
                # It may replace zeros: a destruction that was cut short.
                durable.write(self._path(dataset, epoch, zone), [MAGIC, key.id, self._wrap(key)])
                return key

    def open(self, dataset: str, epoch: str, zone: Zone) -> EpochKey:
        """The key.

        Raises:
            KeyMissing: destroyed or never made.
            VaultError: the file is damaged, re-labelled, or wrapped by another root key.
        """
        path = self._path(dataset, epoch, zone)
        with durable.storage(path):
            try:
                with durable.reading(path) as file:
                    content = file.read(FILE_BYTES + 1)
            except FileNotFoundError:
                content = b""
        if not any(content):
            raise KeyMissing(f"the {zone} key of {dataset} {epoch} was destroyed or never made")
        if len(content) != FILE_BYTES or not content.startswith(MAGIC):
            raise VaultError(f"the file of the {zone} key of {dataset} {epoch} is damaged")
        key_id, wrapped = content[len(MAGIC) : len(MAGIC) + ID_BYTES], content[len(MAGIC) + ID_BYTES :]
        place = Place(key_id=key_id, segment=_label(dataset, epoch, zone), index=0)
        try:
            secret = open_sealed(self._wrapping, place, wrapped, context=_context(dataset, epoch, zone))
        except VaultError:
            raise VaultError(
                f"the {zone} key of {dataset} {epoch} does not open: its file was altered, or is of another root key"
            ) from None
        return EpochKey(dataset=dataset, epoch=epoch, zone=zone, id=key_id, secret=secret)

    def destroy(self, dataset: str, epoch: str, zone: Zone) -> bool:
        """Overwrite with zeros, flush, unlink, flush the directory. False if there was nothing; safe to repeat.

        Raises:
            StorageError: the file can't be overwritten or removed: the key may still exist.
        """
        path = self._path(dataset, epoch, zone)
        if not os.path.lexists(path):
            return False
        with durable.locked(self._directory), durable.storage(path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                file.write(bytes(max(FILE_BYTES, os.fstat(descriptor).st_size)))
                os.fsync(descriptor)
            durable.remove([path], inside=self._directory)
        return True

    def held(self) -> Iterator[tuple[str, str, Zone]]:
        """Dataset, epoch and zone of every key that lies in the store, in order of name."""
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            dataset, _, rest = path.name.removesuffix(SUFFIX).partition("@")
            epoch, _, label = rest.partition("@")
            for zone in get_args(Zone):
                if label == zone:
                    yield unquote(dataset), unquote(epoch), zone

    def _wrap(self, key: EpochKey) -> bytes:
        place = Place(key_id=key.id, segment=_label(key.dataset, key.epoch, key.zone), index=0)
        return seal(self._wrapping, place, key.secret, context=_context(key.dataset, key.epoch, key.zone))

    def _path(self, dataset: str, epoch: str, zone: Zone) -> Path:
        name = f"{quote(dataset, safe='')}@{quote(epoch, safe='')}@{zone}{SUFFIX}"
        if not dataset or not epoch or zone not in get_args(Zone) or len(name) > NAME_BYTES:
            raise ValueError("a key needs a dataset and an epoch of ordinary length, and the zone raw or derived")
        return self._directory / name


def _label(dataset: str, epoch: str, zone: Zone) -> bytes:
    return sha256(context_of(dataset, epoch, zone)).digest()[:ID_BYTES]


def _context(dataset: str, epoch: str, zone: Zone) -> bytes:
    return context_of("epoch key", dataset, epoch, zone)
