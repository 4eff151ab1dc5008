r"""One key for each person under the key of raw text, any of which can be cut out so that nobody derives it again.

A tree of keys (Goldreich, Goldwasser, Micali 1986): a node gives its 256 children and no node gives its parent, so a
person's key is cut by keeping, in place of the root, the siblings along the path to it (a puncturable function: Boneh
and Waters 2013, section 1). There is no table of people, so nothing grows with them and nothing has to be on the disk
before a conversation is; what is kept grows with those who were cut, by some 56 KB each.

With B(k, t, m) = BLAKE2b of m, 32 bytes, key k, personalization `sfumato t 1`, and K the 32 bytes of the epoch key:

    index key    B(K, `files`, empty)           of what no person owns: a segment's index
    root         B(K, `root`, empty)
    child i      B(node, `node`, i as one byte)
    person key   the node at the end of the path that the first 6 bytes of the pseudonym are

Two people of one path have one key and are cut together: of a million people, once in 280 million cuts.

    offset  bytes   of what is kept once somebody was cut
    0       8       magic `SFCUT1\n\0`
    8       32      index key
    40      ...     nodes: length of the path to it (1 byte, 0 to 6), the path, the node (32 bytes)
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from sfumato.errors import VaultError
from sfumato.model.private import Private
from sfumato.vault.envelope import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"SFCUT1\n\0"
DEPTH = 6
FANOUT = 256
SHALLOW = 2  # nodes this near the root are remembered: 65,792 of them at most, some 13 MB
REMEMBERED = 16_384  # people whose key is remembered, some 3 MB
_NODE = b"sfumato node 1"


class People(Private):
    """The keys of everybody but those who were cut."""

    __slots__ = ("_cover", "_depths", "_keys", "_seen", "index")

    def __init__(self, index: bytes, cover: Mapping[bytes, bytes]) -> None:
        """index: the key of segments' indexes. cover: nodes by the path to them, none below another."""
        self.index = index
        self._cover = dict(cover)
        self._seen: dict[bytes, bytes] = dict(cover)
        self._depths = sorted({*range(SHALLOW + 1), *map(len, cover)}, reverse=True)
        self._keys: dict[bytes, bytes | None] = {}

    @classmethod
    def under(cls, secret: bytes) -> Self:
        """Those of an epoch key from which nobody was cut."""
        return cls(_keyed(secret, b"files", b""), {b"": _keyed(secret, b"root", b"")})

    def key_of(self, person: bytes) -> bytes | None:
        """32 bytes for a pseudonym of 16; None if it was cut."""
        if person in self._keys:
            return self._keys[person]
        if len(self._keys) >= REMEMBERED:
            self._keys.clear()
        found = self._keys[person] = self._node(person[:DEPTH])
        return found

    def without(self, person: bytes) -> People:
        """The keys of everybody else; these, where it was cut already."""
        path = person[:DEPTH]
        start = next((path[:depth] for depth in range(DEPTH + 1) if path[:depth] in self._cover), None)
        if start is None:
            return self
        cover = dict(self._cover)
        node = cover.pop(start)
        for depth in range(len(start), DEPTH):
            children = [_keyed(node, b"node", bytes((child,))) for child in range(FANOUT)]
            for child, kept in enumerate(children):
                if child != path[depth]:
                    cover[path[:depth] + bytes((child,))] = kept
            node = children[path[depth]]
        return People(self.index, cover)

    def plaintext(self) -> bytes:
        """What is sealed and kept. Whoever calls this holds the keys."""
        nodes = b"".join(bytes((len(path),)) + path + node for path, node in sorted(self._cover.items()))
        return MAGIC + self.index + nodes

    @classmethod
    def parse(cls, plaintext: bytes) -> Self:
        """The keys in what was kept.

        Raises:
            VaultError: it has another form.
        """
        at, cover = len(MAGIC) + KEY_BYTES, {}
        good = plaintext.startswith(MAGIC)
        while good and at < len(plaintext):
            length = plaintext[at]
            path, node = plaintext[at + 1 : at + 1 + length], plaintext[at + 1 + length :][:KEY_BYTES]
            cover[path] = node
            at += 1 + length + KEY_BYTES
            good = length <= DEPTH and at <= len(plaintext)
        if not good or at < len(MAGIC) + KEY_BYTES:
            raise VaultError("what is kept of a key from which somebody was cut is not of version 1")
        return cls(plaintext[len(MAGIC) :][:KEY_BYTES], cover)

    def _node(self, path: bytes) -> bytes | None:
        """The node at the end of a path, from the nearest one above it that is known."""
        for depth in self._depths:
            node = self._seen.get(path[:depth])
            if node is None:
                continue
            for step in range(depth, DEPTH):
                node = blake2b(path[step : step + 1], digest_size=KEY_BYTES, key=node, person=_NODE).digest()
                if step < SHALLOW:
                    self._seen[path[: step + 1]] = node
            return node
        return None


def _keyed(key: bytes, purpose: bytes, message: bytes) -> bytes:
    return blake2b(message, digest_size=KEY_BYTES, key=key, person=b"sfumato " + purpose + b" 1").digest()
