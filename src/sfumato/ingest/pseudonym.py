"""Ids of people and conversations become keyed hashes here; past this file no raw id exists."""

from __future__ import annotations

import unicodedata

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from sfumato.model.conversation import PSEUDONYM_BYTES
from sfumato.model.private import Private

KEY_BYTES = 32


def canonical(raw: object) -> str | None:
    """The one text of an id, or None where it is no id: neither text nor a whole number, or blank.

    One person under two pseudonyms would get twice the contribution bound, so spellings that differ only in how a
    program wrote them are joined: Unicode NFC, outer white space, 7 / 7.0 / "7". Letter case is kept: whether it
    matters is known to the log's owner only. Nothing further is joined: where two people share an id, one of them
    leaving changes what the other adds, and the bound holds for the pair only.
    """
    if isinstance(raw, str):
        text = raw.strip()
        return (text if text.isascii() else unicodedata.normalize("NFC", text)) or None
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return str(raw)
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else None


class Pseudonyms(Private):
    """HMAC-SHA256 under one secret key, cut to 16 bytes, its domain separated by purpose and dataset.

    The same id in two datasets has two unrelated pseudonyms. Whoever holds the key can test a guess, so it is kept
    with the root key and never beside the data.
    """

    __slots__ = ("_conversation", "_line", "_tombstone", "_user")

    def __init__(self, key: bytes, *, dataset: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a pseudonym key has {KEY_BYTES} bytes")
        self._user = _keyed(key, "user", dataset)
        self._conversation = _keyed(key, "conversation", dataset)
        self._line = _keyed(key, "line", dataset)
        self._tombstone = _keyed(key, "tombstone", dataset)

    def user(self, raw: str) -> bytes:
        """Pseudonym of a user; `raw` as `canonical` gives it."""
        digest = self._user.copy()
        digest.update(raw.encode("utf-8", "surrogatepass"))
        return digest.finalize()[:PSEUDONYM_BYTES]

    def conversation(self, raw: str, *, within: bytes = b"") -> bytes:
        """Pseudonym of a conversation, within a user's pseudonym where the user is the unit of privacy.

        So two users' conversations of one id never meet. Where the conversation is the unit, `within` stays empty:
        records of one id are one unit, whoever wrote them.
        """
        digest = self._conversation.copy()
        digest.update(bytes((len(within),)) + within + raw.encode("utf-8", "surrogatepass"))
        return digest.finalize()[:PSEUDONYM_BYTES]

    def line(self, content: bytes, *, within: bytes = b"") -> bytes:
        """Pseudonym of a conversation that came without an id, from its own bytes."""
        digest = self._line.copy()
        digest.update(bytes((len(within),)) + within + content)
        return digest.finalize()[:PSEUDONYM_BYTES]

    def tombstone(self, pseudonym: bytes) -> bytes:
        """What stands for a pseudonym on the list of who was forgotten: it leads back to no sealed row."""
        digest = self._tombstone.copy()
        digest.update(pseudonym)
        return digest.finalize()[:PSEUDONYM_BYTES]


def _keyed(key: bytes, purpose: str, dataset: str) -> HMAC:
    name = dataset.encode()
    prefix = b"sfumato pseudonym 1\0" + purpose.encode() + b"\0" + len(name).to_bytes(4, "big") + name
    keyed = HMAC(key, SHA256())
    keyed.update(prefix)
    return keyed
