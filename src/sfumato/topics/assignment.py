"""PUBLIC. Where a release's topics begin and end: what tells, of any conversation, under which of them it stands.

Centroids are private measurements that are released, and a declared tree is public, so this may be published with the
release. One file: a canonical JSON header, its Ed25519 signature in hex, and the vectors (float32, little-endian).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidSignature

from sfumato.errors import InputError
from sfumato.model.document import RELEASE_ID, TOPIC_ID
from sfumato.model.strict_json import Node, dumps, loads
from sfumato.topics.declared_nearest import FLOOR, _places
from sfumato.topics.declared_shape import topic_ids
from sfumato.topics.tree import assign

if TYPE_CHECKING:
    from collections.abc import Collection

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from numpy.typing import NDArray

    from sfumato.model.strict_json import JsonObject
    from sfumato.model.taxonomy import Taxonomy
    from sfumato.topics.tree import TopicTree

FORMAT = "sfumato.topics/1"
SUFFIX = ".topics"
MOST_PLACES = 2**15 - 1  # a place is an int16
DIGEST = "[0-9a-f]{64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The places of one release, and the released topics over each.

    release: its id. extraction: digest of how its conversations were read; others can't be placed. paths: per place,
    the ids of the released topics that it lies under, itself perhaps among them. at_most: places of one conversation.
    vectors: (places, d) float32; None where the extracts say themselves which node a conversation stands for. floor:
    cosine under which a conversation stands at no place; None where each stands at the nearest.
    """

    release: str
    extraction: str
    paths: tuple[tuple[str, ...], ...]
    at_most: int
    vectors: NDArray[np.float32] | None
    floor: float | None

    def places(self, vectors: NDArray[np.floating]) -> NDArray[np.int16]:
        """Places of each row: (n,), or (n, at_most) filled up with -1. A row's depend on that row alone."""
        if self.vectors is None:
            raise ValueError("these places are told by the extracts, not by vectors")
        if not len(self.vectors):
            return np.full(len(vectors), -1, np.int16)
        if self.floor is None:
            return assign(vectors, self.vectors).astype(np.int16)
        wide = np.full((len(vectors), self.at_most), -1, np.int16)
        found = _places(vectors, self.vectors, min(self.at_most, len(self.vectors)), self.floor)
        wide[:, : found.shape[1]] = found
        return wide[:, 0] if self.at_most == 1 else wide


def discovered(tree: TopicTree, *, release: str, extraction: str, shown: Collection[str]) -> Assignment:
    """Of discovered topics: the leaves' centroids. shown: ids of the topics that the release holds."""
    above = {node.id: node.parent for node in tree.topics}

    def path(leaf: str | None) -> tuple[str, ...]:
        found = []
        while leaf is not None:
            found.append(leaf)
            leaf = above[leaf]
        return tuple(one for one in found if one in shown)

    return Assignment(
        release=release,
        extraction=extraction,
        paths=tuple(path(leaf) for leaf in tree.leaf_ids),
        at_most=1,
        vectors=tree.centroids,
        floor=None,
    )


def declared(
    taxonomy: Taxonomy,
    leaves: NDArray[np.float32] | None,
    *,
    release: str,
    extraction: str,
    shown: Collection[str],
    at_most: int,
) -> Assignment:
    """Of a declared tree. leaves: `declared_nearest.leaf_vectors` of it; None where a model walked the tree."""
    ids = dict(zip((node.id for node in taxonomy.nodes), topic_ids(taxonomy), strict=True))
    nodes = [node.id for node in taxonomy.nodes] if leaves is None else list(taxonomy.leaves())
    return Assignment(
        release=release,
        extraction=extraction,
        paths=tuple(tuple(ids[up] for up in reversed(taxonomy.path(node)) if ids[up] in shown) for node in nodes),
        at_most=at_most,
        vectors=leaves,
        floor=None if leaves is None else FLOOR,
    )


def encode(assignment: Assignment, signer: Ed25519PrivateKey) -> bytes:
    """The file.

    Raises:
        InputError: more places than a file of version 1 can name.
    """
    if len(assignment.paths) > MOST_PLACES:
        raise InputError(f"a release of more than {MOST_PLACES:,} places can't be asked about")
    vectors = np.zeros((0, 0), np.float32) if assignment.vectors is None else assignment.vectors
    body = np.ascontiguousarray(vectors, "<f4").tobytes()
    header: JsonObject = {
        "format": FORMAT,
        "release": assignment.release,
        "extraction": assignment.extraction,
        "at_most": assignment.at_most,
        "floor": assignment.floor,
        "paths": [list(path) for path in assignment.paths],
        "width": None if assignment.vectors is None else int(vectors.shape[1]),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    head = dumps(header)
    return b"\n".join([head, signer.sign(head).hex().encode(), body])


def decode(raw: bytes, key: Ed25519PublicKey) -> Assignment:
    """The assignment in such a file.

    Raises:
        InputError: another format, altered, or signed by another key.
    """
    head, _, rest = raw.partition(b"\n")
    mark, _, body = rest.partition(b"\n")
    try:
        key.verify(bytes.fromhex(mark.decode("ascii")), head)
    except (InvalidSignature, ValueError):
        raise InputError("a file of topics is not signed by the key that signs the releases here") from None
    found = Node(loads(head)).fields("format", "release", "extraction", "at_most", "floor", "paths", "width", "sha256")
    found["format"].one_of(FORMAT)
    paths = tuple(tuple(one.text(TOPIC_ID) for one in path.items()) for path in found["paths"].items())
    if hashlib.sha256(body).hexdigest() != found["sha256"].text(DIGEST) or len(paths) > MOST_PLACES:
        raise InputError("a file of topics was cut or altered")
    vectors = None
    if found["width"].value is not None:
        width = found["width"].whole(minimum=1)
        if len(body) != 4 * width * len(paths):
            raise InputError("a file of topics has another number of vectors than of places")
        vectors = np.frombuffer(body, "<f4").astype(np.float32).reshape(len(paths), width)
    return Assignment(
        release=found["release"].text(RELEASE_ID),
        extraction=found["extraction"].text(DIGEST),
        paths=paths,
        at_most=found["at_most"].whole(minimum=1),
        vectors=vectors,
        floor=None if found["floor"].value is None else found["floor"].number(),
    )
