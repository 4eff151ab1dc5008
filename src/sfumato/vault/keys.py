"""The root key and its file: the one secret an operator keeps. Everything else is derived from it or wrapped by it."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sfumato.errors import KeyMissing
from sfumato.model.private import Private
from sfumato.vault import durable

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
PREFIX = b"sfumato-root-key-1:"
FILE_BYTES = len(PREFIX) + 44 + 1


class RootKey(Private):
    """32 secret bytes that leave only as keys derived for a named purpose. It can't be printed or pickled."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a root key has {KEY_BYTES} bytes")
        self._secret = secret

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose: HKDF-Expand (RFC 5869, section 2.3) with SHA-256; the root key is uniform."""
        info = b"sfumato root 1 " + purpose.encode()
        return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info).derive(self._secret)

    @classmethod
    def create(cls, path: Path, *, data: Path | None = None) -> Self:
        """Make a new key and its file: one text line, mode 0600, never over an existing one.

        `load` refuses a file inside the data directory in any case; with `data` known it is refused here already.

        Raises:
            KeyMissing: a file lies there already, or `path` lies inside the data directory.
            StorageError: the file can't be written.
        """
        if data is not None:
            _outside(path, data)
        secret = os.urandom(KEY_BYTES)
        durable.directory(path.parent)
        if not durable.create(path, PREFIX + base64.urlsafe_b64encode(secret) + b"\n"):
            raise KeyMissing(f"{path}: a file lies there already and is never overwritten; choose another path")
        return cls(secret)

    @classmethod
    def load(cls, path: Path, *, data: Path) -> Self:
        """Read the key file, after checking that nobody else could have read or replaced it.

        Raises:
            KeyMissing: absent, a link, not ours, open to others, of a wrong form, or inside the data directory.
        """
        _outside(path, data)
        try:
            file = durable.reading(path)
        except FileNotFoundError:
            raise KeyMissing(f"{path}: there is no root key; make one with `sfumato keys init`") from None
        except OSError as failure:
            raise KeyMissing(f"{path}: the root key can't be read: {failure.strerror}; links are refused") from None
        with file:
            _trusted(path, os.fstat(file.fileno()))
            return cls(_secret_of(file.read(FILE_BYTES + 1), path))


def _outside(path: Path, data: Path) -> None:
    """A copy or a backup of the data directory must not carry the key that opens it."""
    if path.resolve().is_relative_to(data.resolve()):
        raise KeyMissing(f"{path}: the root key must not lie inside the data directory; move it elsewhere")


def _trusted(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyMissing(f"{path}: the root key must be a plain file")
    if status.st_uid != os.geteuid():
        raise KeyMissing(f"{path}: the root key belongs to another user; chown it to the one who runs sfumato")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyMissing(f"{path}: others may open the root key; chmod 600 it")
    if status.st_size != FILE_BYTES:
        raise KeyMissing(f"{path} is no root key file: wrong size")


def _secret_of(content: bytes, path: Path) -> bytes:
    body = content.removeprefix(PREFIX)
    try:
        secret = base64.b64decode(body.removesuffix(b"\n"), altchars=b"-_", validate=True)
    except ValueError:
        secret = b""
    if len(body) == len(content) or len(secret) != KEY_BYTES:
        raise KeyMissing(f"{path} is no root key file of version 1")
    return secret
