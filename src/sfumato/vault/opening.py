"""Opening boxes of the inbox: the private half of the key they are sealed to, which only the root key gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sfumato.errors import VaultError
from sfumato.inbox.box import HEAD_BYTES, MAGIC, SUITE, VERSION, info_of
from sfumato.model.private import Private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

PURPOSE = "inbox opening"  # what the root key derives the private key for


class Opener(Private):
    """Opens what was sealed to its public key."""

    __slots__ = ("_private",)

    def __init__(self, secret: bytes) -> None:
        """secret: 32 bytes, derived for PURPOSE."""
        self._private = X25519PrivateKey.from_private_bytes(secret)

    def public_key(self) -> X25519PublicKey:
        """What boxes are sealed to."""
        return self._private.public_key()

    def open(self, content: bytes, *, dataset: str, name: str) -> bytes:
        """What is in a box.

        Raises:
            VaultError: no box, of another version, altered, moved, or sealed to another key.
        """
        head = content[:HEAD_BYTES]
        if len(content) <= HEAD_BYTES or not head.startswith(MAGIC):
            raise VaultError("a file of the inbox is no box, or truncated")
        if head[len(MAGIC)] != VERSION:
            raise VaultError(f"a box of the inbox has a version that this program does not read; it reads {VERSION}")
        try:
            opened: bytes = SUITE.decrypt(
                content[HEAD_BYTES:], self._private, info_of(head, dataset=dataset, name=name)
            )
        except (InvalidTag, ValueError):
            raise VaultError(
                "a box of the inbox does not open: altered, moved, or sealed to another root key; move it away"
            ) from None
        return opened
