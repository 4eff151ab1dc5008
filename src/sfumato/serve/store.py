"""The releases as the server may show them: read-only, and only those whose signature holds."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sfumato.errors import InputError, StorageError
from sfumato.model.document import decode
from sfumato.model.signature import read_public_key, verify
from sfumato.model.strict_json import JsonObject, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from os import stat_result
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sfumato.model.release import Release

RELEASE_BYTES = 256 * 2**20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A verified release: the value, its document, and the canonical bytes that were verified."""

    release: Release
    document: JsonObject
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A file, or a row of the table, that is not served, and why."""

    file: str
    reason: str


class Source(Protocol):
    """Where releases lie, unverified."""

    def names(self) -> Iterable[tuple[str, Hashable]]:
        """Each one's name, and a stamp that differs once its bytes may differ.

        Raises:
            StorageError: they can't be listed.
        """

    def read(self, name: str) -> bytes:
        """The bytes of one.

        Raises:
            InputError: too large to be a release. OSError, StorageError: unreadable.
        """


class ReleaseStore:
    """`DATA/releases/*.json`, or another source, each checked against `DATA/release_key.pub`; without it, none.

    It never writes. A release is read again when its stamp differs; all of them when the pinned key does.
    """

    def __init__(self, data: Path, source: Source | None = None) -> None:
        self._source = source or Folder(data / "releases")
        self._pin = data / "release_key.pub"
        self._lock = threading.Lock()
        self._pinned: str | None = None
        self._seen: dict[str, tuple[Hashable, Stored | Rejected]] = {}

    def releases(self) -> tuple[Stored, ...]:
        """Every release that may be served, newest first.

        Raises:
            StorageError: the source or the pinned key can't be read.
        """
        unique = {found.release.id: found for found in self._refreshed() if isinstance(found, Stored)}
        return tuple(sorted(unique.values(), key=_age, reverse=True))

    def get(self, release_id: str) -> Stored | None:
        """One release, or None."""
        return next((stored for stored in self.releases() if stored.release.id == release_id), None)

    def rejected(self) -> tuple[Rejected, ...]:
        """What is not served."""
        return tuple(found for found in self._refreshed() if isinstance(found, Rejected))

    def _refreshed(self) -> tuple[Stored | Rejected, ...]:
        with self._lock:
            key = self._pinned_key()
            seen = {}
            for name, stamp in self._source.names():
                known = self._seen.get(name)
                seen[name] = known if known and known[0] == stamp else (stamp, self._verified(name, key))
            self._seen = seen
            return tuple(found for _, found in seen.values())

    def _verified(self, name: str, key: Ed25519PublicKey | None) -> Stored | Rejected:
        if key is None:
            return _rejected(name, "no release_key.pub says whose signature counts here; restore it")
        try:
            document = loads(self._source.read(name))
            verify(document, key)
            return Stored(release=decode(document), document=document, body=dumps(document))
        except (InputError, OSError) as problem:
            reason = str(problem) if isinstance(problem, InputError) else "the file can't be read"
            return _rejected(name, reason)

    def _pinned_key(self) -> Ed25519PublicKey | None:
        """The key that must have signed; a key that is there and can't be read stops everything."""
        try:
            text = self._pin.read_text(encoding="ascii") if self._pin.exists() else None
            key = None if text is None else read_public_key(text)
        except (OSError, UnicodeDecodeError, InputError):
            raise StorageError(f"{self._pin.name} is not a readable Ed25519 public key; restore it") from None
        if text != self._pinned:
            self._pinned, self._seen = text, {}
        return key


class Folder:
    """Regular `*.json` files (a writer's temporary files end otherwise). No folder yet means no releases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[tuple[str, Hashable]]:
        """Each file's name with inode, size and times of change."""
        try:
            with os.scandir(self._folder) as entries:
                found = [entry for entry in entries if entry.name.endswith(".json") and entry.is_file()]
            return sorted(((entry.name, _stamp(entry.stat())) for entry in found), key=lambda file: file[0])
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise StorageError(f"the releases can't be read ({problem.strerror}); check the data directory") from None

    def read(self, name: str) -> bytes:
        """The bytes of one file, unless it is too large to be a release."""
        path = self._folder / name
        if path.stat().st_size > RELEASE_BYTES:
            raise InputError("the file is too large to be a release")
        return path.read_bytes()


def _rejected(name: str, reason: str) -> Rejected:
    _log.warning("%s is not served: %s", name, reason)
    return Rejected(file=name, reason=reason)


def _stamp(found: stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _age(stored: Stored) -> tuple[datetime, str]:
    return datetime.fromisoformat(stored.release.created), stored.release.id
