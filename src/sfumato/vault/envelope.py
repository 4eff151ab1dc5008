"""Envelope version 1, bytes to bytes: a sealed record opens in its own place under its own key, and nowhere else.

    offset  bytes
    0       4     magic `SFEV`
    4       1     version, 1
    5       1     algorithm, 1: AES-256-GCM, HKDF-SHA256, key commitment
    6       16    id of the epoch key
    22      16    id of the segment
    38      8     index of the record, big-endian
    46      32    key commitment
    78      n+16  ciphertext and tag

With H = the first 46 bytes and P = `sfumato envelope 1 `, from the 32-byte epoch key K:
record key = HKDF-Expand(K, P | `key ` | H, 32), nonce = HKDF-Expand(K, P | `nonce ` | H, 12),
commitment = HKDF-Expand(K, P | `commit ` | H, 32). HKDF-Expand is RFC 5869, section 2.3; K is uniform, so Extract is
left out. Associated data = H | context. GCM alone does not commit to a key; the commitment does, being an HMAC under K.

Frozen: what version 1 sealed opens for ever (tests/golden/envelope_v1.json). A change is a new version byte.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from sfumato.errors import VaultError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES = 32
ID_BYTES = 16
OVERHEAD = 94

_MAGIC = b"SFEV"
_VERSION = 1
_ALGORITHM = 1
_HEADER = struct.Struct(">4sBB16s16sQ")
_SEALED_FROM = _HEADER.size + 32
_KEY, _NONCE, _COMMIT = (b"sfumato envelope 1 " + purpose for purpose in (b"key ", b"nonce ", b"commit "))
_LAST = struct.Struct(">QB")  # the end of an info: the index, and the number of HKDF's only block
_INDEX_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record belongs. Under one key a place is sealed once: its nonce follows from it."""

    key_id: bytes
    segment: bytes
    index: int

    def __post_init__(self) -> None:
        if len(self.key_id) != ID_BYTES or len(self.segment) != ID_BYTES or not 0 <= self.index < 1 << 64:
            raise ValueError("a place has two ids of 16 bytes and an index under 2**64")


def context_of(*parts: str) -> bytes:
    """Dataset, epoch, purpose and the like as associated data, each part behind its length, so none runs over."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


class Sealer(Private):
    """Seals and opens the records of one segment under one key.

    An HMAC that has taken in the key is kept and copied: what `hmac.digest` gives, at a third of the time.
    """

    __slots__ = ("_context", "_head", "_keyed", "_place")

    def __init__(self, key: bytes, *, key_id: bytes, segment: bytes, context: bytes) -> None:
        _sound(key, context)
        self._place = key_id, segment
        self._head = _HEADER.pack(_MAGIC, _VERSION, _ALGORITHM, key_id, segment, 0)[:-_INDEX_BYTES]
        self._context = context
        self._keyed = HMAC(key, SHA256())

    def seal(self, index: int, plaintext: bytes) -> bytes:
        """The sealed record, 94 bytes longer than the plaintext; one place is sealed once."""
        last = _LAST.pack(index, 1)
        key, nonce, commitment = self._expand(_KEY, last), self._expand(_NONCE, last), self._expand(_COMMIT, last)
        header = self._head + last[:_INDEX_BYTES]
        return header + commitment + AESGCM(key).encrypt(nonce[:12], plaintext, header + self._context)

    def open(self, index: int, blob: bytes) -> bytes:
        """The plaintext of a record that is what it should be and lies where it should.

        Raises:
            VaultError: truncated, not ours, another version, another key, segment or place, or tampered with.
        """
        return bytes(self.open_into(index, blob))

    def open_into(self, index: int, blob: bytes) -> bytearray:
        """As `open`, into a buffer that the caller can `wipe`.

        What is made of it meanwhile, such as a str, is Python's to free, and Python does not wipe.
        """
        last = _LAST.pack(index, 1)
        header = self._head + last[:_INDEX_BYTES]
        _check(blob, header, *self._place, partial(self._expand, _COMMIT, last))
        nonce = self._expand(_NONCE, last)[:12]
        return _decrypted(blob, self._expand(_KEY, last), nonce, header + self._context)

    def _expand(self, purpose: bytes, last: bytes) -> bytes:
        """One block of HKDF-Expand: T(1) = HMAC(key, info | 0x01). last: the index and that byte."""
        begun = self._keyed.copy()
        begun.update(purpose + self._head + last)
        return begun.finalize()


def seal(key: bytes, place: Place, plaintext: bytes, *, context: bytes) -> bytes:
    """The sealed record, 94 bytes longer than the plaintext: what a `Sealer` gives, quicker for one record of a key.

    The caller never seals two plaintexts for one (key, place): they would share a nonce.
    """
    header = _header(key, place, context)
    sealed = AESGCM(_digest(key, _KEY, header)).encrypt(_digest(key, _NONCE, header)[:12], plaintext, header + context)
    return header + _digest(key, _COMMIT, header) + sealed


def open_sealed(key: bytes, place: Place, blob: bytes, *, context: bytes) -> bytes:
    """The plaintext of a record that is what it should be and lies where it should.

    Raises:
        VaultError: truncated, not ours, another version, another key, segment or place, or tampered with.
    """
    return bytes(open_into(key, place, blob, context=context))


def open_into(key: bytes, place: Place, blob: bytes, *, context: bytes) -> bytearray:
    """As `open_sealed`, into a buffer that the caller can `wipe`."""
    header = _header(key, place, context)
    _check(blob, header, place.key_id, place.segment, partial(_digest, key, _COMMIT, header))
    nonce = _digest(key, _NONCE, header)[:12]
    return _decrypted(blob, _digest(key, _KEY, header), nonce, header + context)


def _header(key: bytes, place: Place, context: bytes) -> bytes:
    _sound(key, context)
    return _HEADER.pack(_MAGIC, _VERSION, _ALGORITHM, place.key_id, place.segment, place.index)


def _sound(key: bytes, context: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"an envelope key has {KEY_BYTES} bytes")
    if not context:
        raise ValueError("an envelope's context can't be empty")


def _digest(key: bytes, purpose: bytes, header: bytes) -> bytes:
    """One block of HKDF-Expand, all at once."""
    return hmac.digest(key, purpose + header + b"\x01", "sha256")


def _check(blob: bytes, header: bytes, key_id: bytes, segment: bytes, commitment: Callable[[], bytes]) -> None:
    if len(blob) < OVERHEAD:
        raise VaultError("a sealed record is truncated")
    if not blob.startswith(header):
        raise VaultError(_misplaced(blob, key_id, segment))
    if not hmac.compare_digest(blob[_HEADER.size : _SEALED_FROM], commitment()):
        raise VaultError("a sealed record does not commit to this key: it was sealed under another key, or altered")


def _decrypted(blob: bytes, key: bytes, nonce: bytes, associated: bytes) -> bytearray:
    plaintext = bytearray(len(blob) - OVERHEAD)
    try:
        AESGCM(key).decrypt_into(nonce, memoryview(blob)[_SEALED_FROM:], associated, plaintext)
    except InvalidTag:
        wipe(plaintext)
        raise VaultError(
            "a sealed record fails its check: altered, or sealed for another dataset, epoch or purpose"
        ) from None
    return plaintext


def wipe(buffer: bytearray) -> None:
    """Overwrite with zeros, in place."""
    buffer[:] = bytes(len(buffer))


def _misplaced(blob: bytes, own_key: bytes, own_segment: bytes) -> str:
    magic, version, algorithm, key_id, segment, _ = _HEADER.unpack_from(blob)
    if magic != _MAGIC:
        return "these bytes are no sealed record"
    if version != _VERSION:
        return f"a sealed record has version {version}; this program reads version {_VERSION}"
    if algorithm != _ALGORITHM:
        return f"a sealed record names algorithm {algorithm}, which version {_VERSION} does not have"
    if key_id != own_key:
        return "a sealed record was sealed under another key: another dataset, epoch or zone"
    if segment != own_segment:
        return "a sealed record was taken from another segment"
    return "a sealed record is out of its place: reordered, repeated or left out"
