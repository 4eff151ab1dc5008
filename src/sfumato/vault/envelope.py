"""Envelope version 1, bytes to bytes: a sealed record opens in its own place under its own key, and nowhere else.

    offset  bytes
    0       4     magic `SFEV`
    4       1     version, 1
    5       1     algorithm, 1: AES-256-GCM, HKDF-SHA512, key commitment
    6       16    id of the epoch key
    22      16    id of the segment
    38      8     index of the record, big-endian
    46      32    key commitment
    78      n+16  ciphertext and tag

With H = the first 46 bytes, from the 32-byte epoch key K: HKDF-Expand(K, `sfumato envelope 1 ` | H, 64), which is one
block of HMAC-SHA512. Its first half is the record's key, its second the commitment, whose first 12 bytes are the nonce:
a nonce is public, and this key is used with no other. HKDF-Expand is RFC 5869, section 2.3; K is uniform, so Extract is
left out. Associated data = H | context. GCM alone does not commit to a key; half an HMAC under K does, to 256 bits.

Frozen: what version 1 sealed opens for ever (tests/golden/envelope_v1.json). A change is a new version byte.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Never

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.hmac import HMAC

from sfumato.errors import VaultError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES = 32
ID_BYTES = 16
OVERHEAD = 94

_MAGIC = b"SFEV"
_VERSION = 1
_ALGORITHM = 1
_HEADER = struct.Struct(">4sBB16s16sQ")
_SEALED_FROM = _HEADER.size + 32
_COMMITTED = slice(_HEADER.size, _SEALED_FROM)
_NONCE_BYTES = 12
_PURPOSE = b"sfumato envelope 1 "
_BLOCK = b"\x01"  # the number of HKDF's only block
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

    An HMAC that has taken in key and segment is kept and copied: what `hmac.digest` gives, at a third of the time.
    """

    __slots__ = ("_begun", "_context", "_head", "_place")

    def __init__(self, key: bytes, *, key_id: bytes, segment: bytes, context: bytes) -> None:
        _sound(key, context)
        self._place = key_id, segment
        self._head = _HEADER.pack(_MAGIC, _VERSION, _ALGORITHM, key_id, segment, 0)[:-_INDEX_BYTES]
        self._context = context
        self._begun = HMAC(key, SHA512())
        self._begun.update(_PURPOSE + self._head)

    def seal(self, index: int, plaintext: bytes) -> bytes:
        """The sealed record, 94 bytes longer than the plaintext; one place is sealed once."""
        number = index.to_bytes(_INDEX_BYTES, "big")
        return _sealed(self._head + number, self._expand(number), plaintext, self._context)

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
        number = index.to_bytes(_INDEX_BYTES, "big")
        header = self._head + number
        if len(blob) < OVERHEAD or not blob.startswith(header):
            _refuse(blob, *self._place)
        begun = self._begun.copy()  # `_expand`, written out: a call is a tenth of what is over the cipher
        begun.update(number + _BLOCK)
        return _opened(header, begun.finalize(), blob, self._context)

    def _expand(self, number: bytes) -> bytes:
        """The only block of HKDF-Expand: T(1) = HMAC(key, info | 0x01). number: the index in bytes."""
        begun = self._begun.copy()
        begun.update(number + _BLOCK)
        return begun.finalize()


def seal(key: bytes, place: Place, plaintext: bytes, *, context: bytes) -> bytes:
    """The sealed record, 94 bytes longer than the plaintext: what a `Sealer` gives, quicker for one record of a key.

    The caller never seals two plaintexts for one (key, place): they would share a nonce.
    """
    header = _header(key, place, context)
    return _sealed(header, _expand(key, header), plaintext, context)


def seal_together(keys: Sequence[bytes], plaintexts: Sequence[bytes], first: Place, *, context: bytes) -> list[bytes]:
    """What `seal` gives for each under its own key, at `first` and the places after it.

    Each step is taken for all before the next, so that its code stays in the processor's cache: half the time.
    """
    head = _header(keys[0], first, context)[:-_INDEX_BYTES]
    headers = [head + (first.index + n).to_bytes(_INDEX_BYTES, "big") for n in range(len(keys))]
    derived = [_expand(key, header) for key, header in zip(keys, headers, strict=True)]
    return [
        _sealed(header, one, plaintext, context)
        for header, one, plaintext in zip(headers, derived, plaintexts, strict=True)
    ]


def open_sealed(key: bytes, place: Place, blob: bytes, *, context: bytes) -> bytes:
    """The plaintext of a record that is what it should be and lies where it should.

    Raises:
        VaultError: truncated, not ours, another version, another key, segment or place, or tampered with.
    """
    return bytes(open_into(key, place, blob, context=context))


def open_into(key: bytes, place: Place, blob: bytes, *, context: bytes) -> bytearray:
    """As `open_sealed`, into a buffer that the caller can `wipe`."""
    header = _header(key, place, context)
    if len(blob) < OVERHEAD or not blob.startswith(header):
        _refuse(blob, place.key_id, place.segment)
    return _opened(header, _expand(key, header), blob, context)


def _header(key: bytes, place: Place, context: bytes) -> bytes:
    _sound(key, context)
    return _HEADER.pack(_MAGIC, _VERSION, _ALGORITHM, place.key_id, place.segment, place.index)


def _sound(key: bytes, context: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"an envelope key has {KEY_BYTES} bytes")
    if not context:
        raise ValueError("an envelope's context can't be empty")


def _expand(key: bytes, header: bytes) -> bytes:
    """The only block of HKDF-Expand, all at once."""
    return hmac.digest(key, _PURPOSE + header + _BLOCK, "sha512")


def _refuse(blob: bytes, key_id: bytes, segment: bytes) -> Never:
    raise VaultError("a sealed record is truncated" if len(blob) < OVERHEAD else _misplaced(blob, key_id, segment))


def _sealed(header: bytes, derived: bytes, plaintext: bytes, context: bytes) -> bytes:
    """derived: the record's key, then the commitment."""
    commitment = derived[KEY_BYTES:]
    encrypted = AESGCM(derived[:KEY_BYTES]).encrypt(commitment[:_NONCE_BYTES], plaintext, header + context)
    return header + commitment + encrypted


def _opened(header: bytes, derived: bytes, blob: bytes, context: bytes) -> bytearray:
    commitment = derived[KEY_BYTES:]
    if not compare_digest(blob[_COMMITTED], commitment):
        raise VaultError("a sealed record does not commit to this key: it was sealed under another key, or altered")
    plaintext = bytearray(len(blob) - OVERHEAD)
    try:
        cipher = AESGCM(derived[:KEY_BYTES])
        cipher.decrypt_into(commitment[:_NONCE_BYTES], blob[_SEALED_FROM:], header + context, plaintext)
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
