"""Epoch keys: one random key for each dataset, epoch and zone, wrapped, each in a file that can be destroyed."""

from __future__ import annotations

import hmac
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault import cuts, deployment, durable, superseding, traces, wrapped
from sfumato.vault.envelope import ID_BYTES, KEY_BYTES, context_of
from sfumato.vault.keys import RootKey
from sfumato.vault.names import SUFFIX, context, named, path_of, spoken
from sfumato.vault.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.names import Name, Zone
    from sfumato.vault.wrapped import Wrapped

MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EpochKey(Private):
    """The key of one dataset, epoch and zone: whoever holds it can seal and open there, and nowhere else.

    id: 16 random bytes, public. secret: 32 bytes. left: who is left of a raw key from which somebody was cut.
    """

    dataset: str
    epoch: str
    zone: Zone
    id: bytes
    secret: bytes
    left: People | None = None

    def people(self) -> People:
        """The keys of people, under which a raw key seals what each of them wrote."""
        return self.left or People.under(self.secret)

    def fingerprint(self) -> str:
        """HMAC-SHA256(key, `receipt`) in hex: tells later whether a key at hand is the destroyed one; opens nothing."""
        return hmac.digest(self.secret, b"receipt", "sha256").hex()

    def context(self, purpose: str) -> bytes:
        """Associated data for what is sealed under this key."""
        return context_of(purpose, self.dataset, self.epoch, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was done to destroy a key, as far as this machine can know.

    custody: what wrapped it (`root-key`, the id of a root key, or `memory`). key_id: hex, empty if its file was
    damaged or zeroed before. overwritten: bytes, unlinked and flushed afterwards. leftovers: temporary files of a
    writer that had died, treated alike. state: never `destroyed`, which no disk and no memory can prove.
    """

    custody: str
    key_id: str
    overwritten: int
    leftovers: int
    state: Literal["unusable"] = "unusable"


class EpochKeys(Private):
    """The key store: a directory of its own, outside any database and out of backups.

    To destroy a key is to overwrite, unlink and flush its file; after that nothing sealed under it can be opened,
    by us or by anyone who holds the root key, as far as the storage keeps no old copy (see the receipt).
    memory_only: raw keys live in this process and end with it, however it ends; so does what is not yet extracted.
    """

    __slots__ = ("_directory", "_memory", "_root")

    def __init__(self, directory: Path, root: KeyWrapper, *, memory_only: bool = False) -> None:
        self._directory = directory
        self._root = root
        self._memory: dict[tuple[str, str, Zone], EpochKey] | None = {} if memory_only else None

    @property
    def root(self) -> str:
        """Id of the root key."""
        return self._root.id

    @property
    def memory_only(self) -> bool:
        """Whether new raw keys stay in this process."""
        return self._memory is not None

    def in_memory(self) -> EpochKeys:
        """The same store, whose new raw keys stay in this process."""
        return EpochKeys(self._directory, self._root, memory_only=True)

    def create(self, dataset: str, epoch: str, zone: Zone) -> EpochKey:
        """The key, made if it is not there. Two processes at once get the same one (not in memory).

        Raises:
            KeyMissing: the store is under another root key, or has none yet. VaultError: the file there is damaged,
                or wrapped by another root key. StorageError: the store, or the root key's keeper, can't be used.
        """
        durable.directory(self._directory)
        with durable.locked(self._directory):
            try:
                return self.open(dataset, epoch, zone)
            except KeyMissing:
                key = EpochKey(
                    dataset=dataset, epoch=epoch, zone=zone, id=os.urandom(ID_BYTES), secret=os.urandom(KEY_BYTES)
                )
            if self._memory is not None and zone == "raw":
                self._memory[dataset, epoch, zone] = key
            else:
                # It may replace zeros: a destruction that was cut short.
                durable.write(self._path(dataset, epoch, zone), [self._wrap(key).content()])
            return key

    def open(self, dataset: str, epoch: str, zone: Zone) -> EpochKey:
        """The key.

        Raises:
            KeyMissing: destroyed or never made; nothing else is said so, since a receipt may follow.
            VaultError: the file is damaged, re-labelled, or wrapped by another root key.
            StorageError: the root key can't be used now: gone, forbidden, or its keeper silent.
        """
        kept = (self._memory or {}).get((dataset, epoch, zone))
        if kept is not None:
            return kept
        name = (dataset, epoch, zone)
        found, what = wrapped.read(path_of(self._directory, name)), spoken(name)
        if found is None:
            raise KeyMissing(f"{what} was destroyed or never made")
        secret = wrapped.opened(found, self._root, context(name, found.id, found.cut), what=what)
        if len(secret) != KEY_BYTES:
            raise VaultError(f"{what} does not open: it is no key")
        left = cuts.read(self._directory, name, found.id, secret, found.cut) if found.cut else None
        return EpochKey(dataset=dataset, epoch=epoch, zone=zone, id=found.id, secret=secret, left=left)

    def cut(self, dataset: str, epoch: str, person: bytes) -> bool:
        """Make what a pseudonym's person wrote unreadable under the raw key, for ever; False where there is no key.

        The key is replaced by one that opens the others' keys only, and zeroed. Repeatable: a crash leaves the old
        key whole or the new one.

        Raises:
            VaultError, StorageError: as `open`, or the store can't be written: the person may still be in.
        """
        name: Name = (dataset, epoch, "raw")
        if not self._directory.is_dir():
            return self._cut_in_memory(name, person)
        with durable.locked(self._directory):
            try:
                key = self.open(*name)
            except KeyMissing:
                return False
            if self._cut_in_memory(name, person):
                return True
            path = path_of(self._directory, name)
            superseding.clear(path)
            found = wrapped.read(path)
            left = key.people().without(person)
            if found is not None and left is not key.left:
                secret = os.urandom(KEY_BYTES)
                cut = cuts.write(self._directory, name, key.id, secret, left)
                new = wrapped.rewrapped(found, secret, self._root, context(name, key.id, cut))
                found = replace(new, root=found.root, cut=cut)
                superseding.supersede(path, found.content(), made=found.made)
            cuts.clear(self._directory, name, but=found.cut if found else "")
            return True

    def _cut_in_memory(self, name: Name, person: bytes) -> bool:
        key = (self._memory or {}).get(name)
        if key is None or self._memory is None:
            return False
        self._memory[name] = replace(key, secret=os.urandom(KEY_BYTES), left=key.people().without(person))
        return True

    def destroy(self, dataset: str, epoch: str, zone: Zone) -> Evidence | None:
        """Overwrite with zeros, flush, unlink, flush the directory. None if there was nothing; safe to repeat.

        Needs no root key. What a rotation that died left of this key goes too.

        Raises:
            StorageError: the file can't be overwritten or removed: the key may still exist.
        """
        path = self._path(dataset, epoch, zone)
        kept = None if self._memory is None else self._memory.pop((dataset, epoch, zone), None)
        if not self._directory.is_dir():
            return _of_memory(kept)
        with durable.locked(self._directory):
            leftovers = superseding.clear(path) + cuts.clear(self._directory, (dataset, epoch, zone))
            if not os.path.lexists(path):
                return _of_memory(kept)
            try:
                found = wrapped.read(path)
            except VaultError:
                found = None  # damaged: it goes all the same
            with durable.storage(path):
                overwritten = superseding.zero(path)
            durable.remove([path], inside=self._directory)
        return Evidence(
            custody=found.under if found else wrapped.LOCAL,
            key_id=found.id.hex() if found else "",
            overwritten=overwritten,
            leftovers=leftovers,
        )

    def held(self) -> Iterator[tuple[str, str, Zone]]:
        """Dataset, epoch and zone of every key that lies in the store or in memory, in order of name."""
        stored = {name for path in self._directory.glob(f"*{SUFFIX}") if (name := named(path)) is not None}
        yield from sorted(stored | set(self._memory or ()))

    def made(self, dataset: str, epoch: str, zone: Zone) -> int | None:
        """When a stored key was made, seconds since 1970; None if there is none. No rotation changes it.

        Raises:
            VaultError: damaged. StorageError: unreadable.
        """
        found = wrapped.read(self._path(dataset, epoch, zone))
        return None if found is None else found.made

    def custody(self, dataset: str, epoch: str, zone: Zone) -> str:
        """Where a key is kept: `memory`, or what wraps it. Receipts are worded by it.

        Raises:
            VaultError: damaged. StorageError: unreadable.
        """
        if (dataset, epoch, zone) in (self._memory or {}):
            return MEMORY
        found = wrapped.read(self._path(dataset, epoch, zone))
        return wrapped.LOCAL if found is None else found.under

    def remains(
        self, dataset: str, epoch: str, key_id: str, *, zone: Zone = "raw", former: Sequence[KeyWrapper] = ()
    ) -> list[str]:
        """What speaks against a key's destruction: every file of the store is tried under every root key.

        key_id: hex, from a receipt. former: root keys that the store was under before.
        """
        kept = (self._memory or {}).get((dataset, epoch, zone))
        if kept is not None and kept.id.hex() == key_id:
            return [traces.OPENS]
        path, roots = self._path(dataset, epoch, zone), (self._root, *former)
        place = context((dataset, epoch, zone), bytes.fromhex(key_id))
        return traces.of_key(self._directory, roots, place) or traces.of_name(path, roots, place)

    def _wrap(self, key: EpochKey) -> Wrapped:
        """Version 1 for a key file that was the only root key ever, as long as it is."""
        current = deployment.stored(self._directory)
        place = context((key.dataset, key.epoch, key.zone), key.id)
        if current is None and isinstance(self._root, RootKey):
            return wrapped.Wrapped(id=key.id, root=None, made=0, blob=self._root.wrap(key.secret, place))
        if current is None or current.root != self._root.id:
            raise KeyMissing(
                f"the key store is not under {self._root.id}: "
                + (f"it is under {current.under}; name that one with --key" if current else "run `sfumato keys init`")
            )
        new = wrapped.Wrapped(id=key.id, root=self._root.id, made=int(time.time()), blob=b"")
        return wrapped.rewrapped(new, key.secret, self._root, place)

    def _path(self, dataset: str, epoch: str, zone: Zone) -> Path:
        return path_of(self._directory, (dataset, epoch, zone))


def _of_memory(kept: EpochKey | None) -> Evidence | None:
    return None if kept is None else Evidence(custody=MEMORY, key_id=kept.id.hex(), overwritten=0, leftovers=0)
