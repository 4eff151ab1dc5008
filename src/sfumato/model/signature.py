"""Who made a release document: an Ed25519 signature inside it, over the canonical bytes of all the rest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sfumato.errors import InputError
from sfumato.model.document import id_of_parts
from sfumato.model.strict_json import Json, JsonObject, Node, canonical_parts, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"


def key_id(public_key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the 32 bytes of the key."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


def sign(document: Mapping[str, Json], private_key: Ed25519PrivateKey) -> JsonObject:
    """The document with its `signature`; one that is there already is replaced."""
    public_key = private_key.public_key()
    return {
        **document,
        "signature": {
            "algorithm": ALGORITHM,
            "key_id": key_id(public_key),
            "public_key": public_key.public_bytes_raw().hex(),
            "value": private_key.sign(_signed_bytes(canonical_parts(dict(document)))).hex(),
        },
    }


def verify(document: Mapping[str, Json], public_key: Ed25519PublicKey | None) -> Ed25519PublicKey:
    """The key that signed the document, once signature and content-derived id are found right.

    Without a key of the caller's own, the key in the document is used: that proves the document whole, not who made it.

    Raises:
        InputError: unsigned, signed by another key, changed since, or under an id that is not its own.
    """
    if "signature" not in document:
        raise InputError("the release is not signed; make it again with the gateway that holds the key")
    block = Node(document["signature"], "signature").fields("algorithm", "key_id", "public_key", "value")
    block["algorithm"].one_of(ALGORITHM)
    signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(block["public_key"].text("[0-9a-f]{64}")))
    if block["key_id"].text() != key_id(signer):
        raise InputError("the release's signature names a key id that is not its key's")
    if public_key is not None and public_key.public_bytes_raw() != signer.public_bytes_raw():
        raise InputError("the release is signed by another key than the one expected")
    parts = canonical_parts(dict(document))
    try:
        signer.verify(bytes.fromhex(block["value"].text("[0-9a-f]{128}")), _signed_bytes(parts))
    except InvalidSignature:
        raise InputError("the release was changed after it was signed; restore it from where it was made") from None
    if document.get("id") != id_of_parts(parts):
        raise InputError("the release's id does not follow from its content")
    return signer


def read_public_key(text: str) -> Ed25519PublicKey:
    """An Ed25519 public key from 64 hexadecimal digits or from PEM.

    Raises:
        InputError: it is neither.
    """
    stripped = text.strip()
    try:
        if stripped.startswith("-----BEGIN"):
            key = load_pem_public_key(stripped.encode())
            if isinstance(key, Ed25519PublicKey):
                return key
        elif len(stripped) == 64:  # noqa: PLR2004 - 32 bytes in hexadecimal
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(stripped))
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise InputError("not an Ed25519 public key: 64 hexadecimal digits or PEM are expected")


def _signed_bytes(parts: Mapping[str, bytes]) -> bytes:
    return joined({key: part for key, part in parts.items() if key != "signature"})
