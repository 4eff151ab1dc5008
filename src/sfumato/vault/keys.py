"""The root key: the port to one wherever it is kept, and the 32 bytes of one that this machine may hold."""

from __future__ import annotations

import base64
import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sfumato.errors import KeyMissing
from sfumato.model.private import Private
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, Place, context_of, open_sealed, seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY_BYTES = 32
PREFIX = b"sfumato-root-key-1:"
FILE_BYTES = len(PREFIX) + 44 + 1
PURPOSES = (  # a rotation fixes the key of each: add, never rename
    "pseudonyms", "release signing", "audit signing", "inbox opening",
)  # fmt: skip
_EPOCH_KEY = {"dataset", "part", "zone"}


class KeyWrapper(Protocol):
    """A root key, here or in a key service: it wraps small secrets and gives them back in the same context only.

    A context holds ordinary words that a key service may log (dataset, part, zone) and `key`: 32 hex digits that are
    never used for another secret.
    """

    @property
    def id(self) -> str:
        """Which root key this is: `provider:name`, public, the same wherever it is reached from."""
        ...

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """The secret, sealed.

        Raises:
            KeyMissing: the root key is gone, disabled or not ours to use. StorageError: its keeper doesn't answer.
        """
        ...

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """The secret.

        Raises:
            VaultError: another root key, another context, or altered. KeyMissing, StorageError: as for `wrap`.
        """
        ...


class RootKey(Private):
    """32 secret bytes that leave only as keys derived for a named purpose. It can't be printed or pickled."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a root key has {KEY_BYTES} bytes")
        self._secret = secret

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one of PURPOSES: HKDF-Expand (RFC 5869, section 2.3), SHA-256; the root key is uniform."""
        return self._expand(checked(purpose))

    @property
    def id(self) -> str:
        """`root-key:` and 16 hex digits that follow from the key and open nothing."""
        return f"root-key:{self._expand('root key id')[:8].hex()}"

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """An envelope of version 1 under a key derived for this."""
        place, associated = _place(context)
        return seal(self._expand("epoch key wrapping"), place, secret, context=associated)

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """What `wrap` sealed.

        Raises:
            VaultError: another root key, another context, or altered.
        """
        place, associated = _place(context)
        return open_sealed(self._expand("epoch key wrapping"), place, blob, context=associated)

    def line(self) -> bytes:
        """The key as the one line of text that is kept for it. Whoever calls this holds the secret."""
        return PREFIX + base64.urlsafe_b64encode(self._secret) + b"\n"

    @classmethod
    def parse(cls, content: bytes, *, origin: str) -> Self:
        """The key in such a line; the line break may be missing.

        Raises:
            KeyMissing: it is none.
        """
        body = content.removeprefix(PREFIX)
        try:
            secret = base64.b64decode(body.removesuffix(b"\n"), altchars=b"-_", validate=True)
        except ValueError:
            secret = b""
        if len(body) == len(content) or len(secret) != KEY_BYTES:
            raise KeyMissing(f"{origin} is no root key file of version 1")
        return cls(secret)

    @classmethod
    def create(cls, path: Path, *, data: Path | None = None) -> Self:
        """Make a new key and its file: one text line, mode 0600, never over an existing one.

        `load` refuses a file inside the data directory in any case; with `data` known it is refused here already.

        Raises:
            KeyMissing: a file lies there already, or `path` lies inside the data directory.
            StorageError: the file can't be written.
        """
        if data is not None:
            outside(path, data)
        made = cls(os.urandom(KEY_BYTES))
        durable.directory(path.parent)
        if not durable.create(path, made.line()):
            raise KeyMissing(f"{path}: a file lies there already and is never overwritten; choose another path")
        return made

    @classmethod
    def load(cls, path: Path, *, data: Path) -> Self:
        """Read the key file, after checking that nobody else could have read or replaced it.

        Raises:
            KeyMissing: absent, a link, not ours, open to others, of a wrong form, or inside the data directory.
        """
        outside(path, data)
        try:
            file = durable.reading(path)
        except FileNotFoundError:
            raise KeyMissing(f"{path}: there is no root key; make one with `sfumato keys init`") from None
        except OSError as failure:
            raise KeyMissing(f"{path}: the root key can't be read: {failure.strerror}; links are refused") from None
        with file:
            _trusted(path, os.fstat(file.fileno()))
            return cls.parse(file.read(FILE_BYTES + 1), origin=str(path))

    def _expand(self, purpose: str) -> bytes:
        info = b"sfumato root 1 " + purpose.encode()
        return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info).derive(self._secret)


def checked(purpose: str) -> str:
    """A purpose that rotations know of: another one's key would change when the root key does."""
    if purpose not in PURPOSES:
        raise ValueError(f"no key is derived for {purpose!r}: it must stand in sfumato.vault.keys.PURPOSES")
    return purpose


def outside(path: Path, data: Path) -> None:
    """A copy or a backup of the data directory must not carry the key that opens it.

    Raises:
        KeyMissing: `path` leads into `data`.
    """
    if path.resolve().is_relative_to(data.resolve()):
        raise KeyMissing(f"{path}: the root key must not lie inside the data directory; move it elsewhere")


def _place(context: Mapping[str, str]) -> tuple[Place, bytes]:
    """The envelope's place and associated data. Those of an epoch key are as they were before there was a context."""
    rest = {name: context[name] for name in sorted(context) if name != "key"}
    if rest.keys() == _EPOCH_KEY:
        named, label = ["epoch key", *rest.values()], list(rest.values())
    else:
        named = label = ["secret", *(part for pair in rest.items() for part in pair)]
    segment = sha256(context_of(*label)).digest()[:ID_BYTES]
    return Place(key_id=bytes.fromhex(context["key"]), segment=segment, index=0), context_of(*named)


def _trusted(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyMissing(f"{path}: the root key must be a plain file")
    if status.st_uid != os.geteuid():
        raise KeyMissing(f"{path}: the root key belongs to another user; chown it to the one who runs sfumato")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyMissing(f"{path}: others may open the root key; chmod 600 it")
    if status.st_size != FILE_BYTES:
        raise KeyMissing(f"{path} is no root key file: wrong size")
