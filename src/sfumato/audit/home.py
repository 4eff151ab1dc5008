"""What lies in the audit directory: the database file, the log's name and its public keys; and files written whole."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from sfumato.audit.checkpoint import LogKey
from sfumato.errors import InputError, StorageError
from sfumato.model.disk import cause

if TYPE_CHECKING:
    from pathlib import Path


class Home:
    """The files of one log under `Layout.audit`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys = directory / "keys"

    @property
    def database(self) -> Path:
        """The log itself, where no server keeps it."""
        return self._directory / "log.db"

    def create(self) -> None:
        """Make the directory, mode 0700, where it is not there."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as failure:
            raise StorageError(f"{self._directory}: {cause(failure)}") from None

    def keys(self) -> tuple[LogKey, ...]:
        """Every public key that ever signed this log, oldest first; none before the first signature.

        Raises:
            StorageError: the file is damaged or unreadable.
        """
        if not self._keys.exists():
            return ()
        try:
            return read_keys(self._keys)
        except InputError as problem:
            raise StorageError(f"{problem}; restore it from a backup") from None

    def origin(self) -> str:
        """The log's name; one drawn at random where it has none, which the first signature makes its own."""
        keys = self.keys()
        return keys[0].origin if keys else f"sfumato.audit/{secrets.token_hex(8)}"

    def remember(self, key: LogKey) -> None:
        """Keep a key among the log's own."""
        known = self.keys()
        if key not in known:
            write(self._keys, "".join(f"{one}\n" for one in (*known, key)).encode())


def read_keys(path: Path) -> tuple[LogKey, ...]:
    """The public keys in a file, one a line.

    Raises:
        InputError: it can't be read, or holds anything else.
    """
    try:
        return tuple(LogKey.parse(line) for line in path.read_text("ascii").splitlines())
    except (InputError, ValueError, OSError):
        raise InputError(f"{path}: not the public keys of an audit log, or unreadable") from None


def write(path: Path, content: bytes) -> None:
    """Put a file on disk whole, mode 0600, in the place of any that is there.

    Raises:
        StorageError: it can't be written; what was there stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush(path.parent)
    except OSError as failure:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(f"{path}: {cause(failure)}") from None


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
