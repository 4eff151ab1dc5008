r"""One wrapped secret in a file of its own: which root key wraps it and since when it lives; bytes to value and back.

Version 1, of a deployment that has only ever had one key file: `SFKEY1\n\0`, 16 bytes of key id, the sealed secret.
Version 2, once there is a deployment secret (sfumato.vault.deployment):

    offset  bytes
    0       8     magic: `SFKEY2\n\0` for an epoch key, `SFDEP1\n\0` for the deployment secret
    8       16    id of the key
    24      8     when it was made, seconds since 1970, big-endian
    32      2     length n of the root key's id
    34      n     id of the root key that wraps it, UTF-8
    34+n          the wrapped secret

Version 3, `SFKEY3\n\0`, of a raw key from which somebody was cut (sfumato.vault.cuts): as version 2, with the 8 bytes
of the cut's id between root key's id and wrapped secret, and n may be 0: the key file that was the only root key ever.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.vault import durable
from sfumato.vault.envelope import ID_BYTES, KEY_BYTES, OVERHEAD
from sfumato.vault.keys import RootKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper

FIRST = b"SFKEY1\n\0"
EPOCH_KEY = b"SFKEY2\n\0"
DEPLOYMENT = b"SFDEP1\n\0"
CUT_KEY = b"SFKEY3\n\0"
CUT_BYTES = 8
FIRST_BYTES = len(FIRST) + ID_BYTES + KEY_BYTES + OVERHEAD
MOST_BYTES = 1 << 16
LOCAL = "root-key"
_HEAD = struct.Struct(">8s16sQH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """What a file holds; nothing in it opens anything by itself.

    root: id of the root key, None in version 1, which does not say. made: seconds since 1970; of version 1, when the
    file was written. blob: as the root key's `wrap` made it. cut: id of the last cut in hex, empty where none was made.
    """

    id: bytes
    root: str | None
    made: int
    blob: bytes
    magic: bytes = EPOCH_KEY
    cut: str = ""

    def __repr__(self) -> str:
        return f"<Wrapped {self.id.hex()}>"

    @property
    def under(self) -> str:
        """The root key, as a person is told."""
        return self.root or LOCAL

    def content(self) -> bytes:
        """The bytes of the file."""
        if self.root is None and not self.cut:
            return FIRST + self.id + self.blob
        root, magic = (self.root or "").encode(), CUT_KEY if self.cut else self.magic
        return _HEAD.pack(magic, self.id, self.made, len(root)) + root + bytes.fromhex(self.cut) + self.blob


def read(path: Path) -> Wrapped | None:
    """What lies there, or None: nothing, or the zeros of a key that was destroyed.

    Raises:
        VaultError: damaged. StorageError: unreadable, or a link.
    """
    with durable.storage(path):
        try:
            with durable.reading(path) as file:
                content = file.read(MOST_BYTES + 1)
                written = int(os.fstat(file.fileno()).st_mtime)
        except FileNotFoundError:
            return None
    return parse(content, written=written, name=path.name) if any(content) else None


def parse(content: bytes, *, written: int, name: str) -> Wrapped:
    """The value in a file's bytes.

    Raises:
        VaultError: damaged.
    """
    if content.startswith(FIRST) and len(content) == FIRST_BYTES:
        start = len(FIRST) + ID_BYTES
        return Wrapped(id=content[len(FIRST) : start], root=None, made=written, blob=content[start:])
    if content.startswith((EPOCH_KEY, DEPLOYMENT, CUT_KEY)) and _HEAD.size < len(content) <= MOST_BYTES:
        magic, key_id, made, length = _HEAD.unpack_from(content)
        root, rest = content[_HEAD.size : _HEAD.size + length], content[_HEAD.size + length :]
        cut, blob = (rest[:CUT_BYTES], rest[CUT_BYTES:]) if magic == CUT_KEY else (b"", rest)
        if (length or cut) and blob and root.isascii() and root.decode().isprintable():
            magic = EPOCH_KEY if cut else magic
            return Wrapped(id=key_id, root=root.decode() or None, made=made, blob=blob, magic=magic, cut=cut.hex())
    raise VaultError(f"{name} in the key store is damaged")


def opened(found: Wrapped, root: KeyWrapper, context: Mapping[str, str], *, what: str) -> bytes:
    """The secret. A root key that can't be used is a StorageError: `KeyMissing` would say that the secret is gone.

    Raises:
        VaultError: under another root key, altered, or re-labelled. StorageError: the root key can't be used now.
    """
    same = isinstance(root, RootKey) if found.root is None else found.root == root.id
    if not same:
        raise VaultError(
            f"{what} is under another root key, {found.under}, not under {root.id}: "
            "name that one with --key, or finish a `sfumato keys rotate` that was cut short"
        )
    try:
        return root.unwrap(found.blob, context)
    except VaultError:
        raise VaultError(f"{what} does not open: its file was altered, or is of another root key") from None
    except KeyMissing as failure:
        raise StorageError(f"{what} can't be opened now: {failure}") from None


def rewrapped(found: Wrapped, secret: bytes, root: KeyWrapper, context: Mapping[str, str]) -> Wrapped:
    """The same secret under a root key, which has shown that it gives it back.

    Raises:
        KeyMissing, StorageError: as the root key's `wrap`; also where it gives back something else.
    """
    blob = root.wrap(secret, context)
    try:
        good = hmac.compare_digest(root.unwrap(blob, context), secret)
    except VaultError:
        good = False
    if not good:
        raise StorageError(f"the root key {root.id} does not give back what it wrapped; nothing was changed")
    return replace(found, root=root.id, blob=blob)
