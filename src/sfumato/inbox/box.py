"""A box: bytes sealed to a public key (HPKE, RFC 9180), so that who seals them can't open them afterwards.

    offset  bytes
    0       4     magic `SFBX`
    4       1     version, 1
    5       32    tag: HMAC-SHA256 of what the sender sent, under a key that only the sender's word gives
    37      n+48  HPKE in base mode, one shot: encapsulated key, ciphertext and tag

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. `info` is the first 37 bytes and the box's dataset and name, so a
box moved to another dataset or under another name does not open. Nobody signs a box: whoever may write the folder may
put one there, as whoever has a key of an ingester may.

Frozen: what version 1 sealed opens for ever. A change is a new version byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hpke

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

MAGIC = b"SFBX"
VERSION = 1
TAG_BYTES = 32
HEAD_BYTES = len(MAGIC) + 1 + TAG_BYTES
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def seal(public: X25519PublicKey, plaintext: bytes, *, dataset: str, name: str, tag: bytes) -> bytes:
    """The content of the box of this name."""
    if len(tag) != TAG_BYTES:
        raise ValueError(f"the tag of a box has {TAG_BYTES} bytes")
    head = MAGIC + bytes([VERSION]) + tag
    return head + SUITE.encrypt(plaintext, public, info_of(head, dataset=dataset, name=name))


def info_of(head: bytes, *, dataset: str, name: str) -> bytes:
    """What a box is bound to."""
    parts = [part.encode() for part in (dataset, name)]
    return b"sfumato inbox 1\n" + head + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
