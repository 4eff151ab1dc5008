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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from sfumato.errors import VaultError
from sfumato.model.private import Private

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
        if len(key) != KEY_BYTES:
            raise ValueError(f"an envelope key has {KEY_BYTES} bytes")
        if not context:
            raise ValueError("an envelope's context can't be empty")
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
        last = _LAST.pack(index, 1)
        header = self._head + last[:_INDEX_BYTES]
        if len(blob) < OVERHEAD:
            raise VaultError("a sealed record is truncated")
        if not blob.startswith(header):
            raise VaultError(_misplaced(blob, *self._place))
        if not hmac.compare_digest(blob[_HEADER.size : _SEALED_FROM], self._expand(_COMMIT, last)):
            raise VaultError("a sealed record does not commit to this key: it was sealed under another key, or altered")
        try:
            return AESGCM(self._expand(_KEY, last)).decrypt(
                self._expand(_NONCE, last)[:12], blob[_SEALED_FROM:], header + self._context
            )
        except InvalidTag:
            raise VaultError(
                "a sealed record fails its check: altered, or sealed for another dataset, epoch or purpose"
            ) from None

    def _expand(self, purpose: bytes, last: bytes) -> bytes:
        """One block of HKDF-Expand: T(1) = HMAC(key, info | 0x01). last: the index and that byte."""
        begun = self._keyed.copy()
        begun.update(purpose + self._head + last)
        return begun.finalize()


def seal(key: bytes, place: Place, plaintext: bytes, *, context: bytes) -> bytes:
    """The sealed record, 94 bytes longer than the plaintext.

    The caller never seals two plaintexts for one (key, place): they would share a nonce.
    """
    sealer = Sealer(key, key_id=place.key_id, segment=place.segment, context=context)
    return sealer.seal(place.index, plaintext)


def open_sealed(key: bytes, place: Place, blob: bytes, *, context: bytes) -> bytes:
    """The plaintext of a record that is what it should be and lies where it should.

    Raises:
        VaultError: truncated, not ours, another version, another key, segment or place, or tampered with.
    """
    return Sealer(key, key_id=place.key_id, segment=place.segment, context=context).open(place.index, blob)


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
