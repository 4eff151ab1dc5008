"""A signed statement of how long the log was and what was in it: a C2SP tlog-checkpoint, a signed note with one key.

    sfumato.audit/9f2c51d07ab3e846          origin: the log's name, chosen once at random
    1042                                    entries
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=   root of the tree of those entries
    time 2026-11-21T06:50:00Z               extension line

    — sfumato.audit/9f2c51d07ab3e846 pxEZ...  key id and Ed25519 signature over all above

Format: c2sp.org/signed-note and c2sp.org/tlog-checkpoint, so that witnesses and tools of others can read it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sfumato.errors import InputError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PURPOSE = "audit signing"  # what the root key derives the signing key for
ED25519 = b"\x01"
MOST_BYTES = 1000
_ORIGIN = r"sfumato\.audit/[0-9a-f]{16}"
_NOTE = re.compile(
    rf"(?P<text>(?P<origin>{_ORIGIN})\n(?P<size>0|[1-9][0-9]{{0,15}})\n(?P<root>[A-Za-z0-9+/]{{43}}=)\n"
    r"time (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n)"
    rf"\n\u2014 (?P<name>{_ORIGIN}) (?P<mark>[A-Za-z0-9+/]{{91}}=)\n"
)
_KEY = re.compile(rf"(?P<name>{_ORIGIN})\+(?P<id>[0-9a-f]{{8}})\+(?P<key>[A-Za-z0-9+/]{{44}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was signed: the log's origin, its number of entries, the root of their tree, when (UTC)."""

    origin: str
    size: int
    root: bytes
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """The public key of one log, under that log's origin."""

    origin: str
    public: Ed25519PublicKey

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(origin || LF || 0x01 || key), as signed notes want it."""
        return sha256(self.origin.encode() + b"\n" + ED25519 + self.public.public_bytes_raw()).digest()[:4]

    def __str__(self) -> str:
        """`<origin>+<id>+<base64 of 0x01 || key>`: the form that verifiers of signed notes read."""
        return f"{self.origin}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public.public_bytes_raw()).decode()}"

    @classmethod
    def parse(cls, text: str) -> LogKey:
        """The key in that form.

        Raises:
            InputError: it is not in that form, or its id is another key's.
        """
        found = _KEY.fullmatch(text)
        raw = base64.b64decode(found["key"]) if found else b""
        if found and raw.startswith(ED25519):
            key = cls(origin=found["name"], public=Ed25519PublicKey.from_public_bytes(raw[1:]))
            if str(key) == text:
                return key
        raise InputError("not the public key of an audit log: `sfumato.audit/...+id+base64` is expected")


class Signer(Private):
    """Signs checkpoints of one log. Only who holds the root key should have one; those who append need none."""

    __slots__ = ("_private", "key")

    def __init__(self, origin: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = LogKey(origin=origin, public=private.public_key())

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The signed note, UTF-8; ValueError where the checkpoint is of another log."""
        if checkpoint.origin != self.key.origin:
            raise ValueError("a signer signs checkpoints of its own log only")
        text = _text(checkpoint)
        mark = base64.b64encode(self.key.id + self._private.sign(text)).decode()
        return text + f"\n\u2014 {self.key.origin} {mark}\n".encode()


def read(note: bytes, keys: Sequence[LogKey]) -> Checkpoint:
    """The checkpoint in a note that one of these keys signed.

    Raises:
        InputError: not a note of one signature, altered, or signed by none of them.
    """
    try:
        found = _NOTE.fullmatch(note.decode()) if len(note) <= MOST_BYTES else None
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise InputError("not a checkpoint of an audit log")
    root, mark = (base64.b64decode(found[name]) for name in ("root", "mark"))
    canonical = [base64.b64encode(value).decode() for value in (root, mark)] == [found["root"], found["mark"]]
    signers = [key for key in keys if key.origin == found["origin"] == found["name"] and key.id == mark[:4]]
    if not canonical or not any(_signed(key, found["text"].encode(), mark[4:]) for key in signers):
        raise InputError("the checkpoint was altered, or is signed by none of the keys given")
    return Checkpoint(origin=found["origin"], size=int(found["size"]), root=root, time=found["time"])


def _text(checkpoint: Checkpoint) -> bytes:
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\ntime {checkpoint.time}\n".encode()


def _signed(key: LogKey, text: bytes, mark: bytes) -> bool:
    try:
        key.public.verify(mark, text)
    except InvalidSignature:
        return False
    return True
