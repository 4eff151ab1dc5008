"""Where a signed release goes: a file of its own that readers check against a pinned key."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from sfumato.errors import InputError, KeyMissing
from sfumato.model import document, strict_json
from sfumato.topics import assignment
from sfumato.topics.declared_nearest import leaf_vectors
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from numpy.typing import NDArray

    from sfumato.model.layout import Layout
    from sfumato.planning import ReleasePlan
    from sfumato.topics.assignment import Assignment
    from sfumato.topics.tree import TopicTree


def publish(canonical: bytes, layout: Layout, key: Ed25519PublicKey) -> None:
    """Put a release where readers look, its key pinned beside it. Repeatable.

    Raises:
        KeyMissing: another key is pinned here. StorageError: it could not be written.
    """
    path = layout.releases / f"{json.loads(canonical)['id']}.json"
    if not path.exists():
        durable.directory(layout.releases)
        _pin(layout, key)
        durable.write(path, [canonical])


def places(
    tree: TopicTree, canonical: bytes, plan: ReleasePlan, embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> Assignment:
    """What places a conversation under the topics of a release that was made of this tree.

    embed: sees the words of a declared taxonomy, where its topics are told by vectors.
    """
    release = document.decode(strict_json.loads(canonical))
    shown = {topic.id for topic in release.topics}
    if plan.taxonomy is None:
        return assignment.discovered(tree, release=release.id, extraction=plan.extraction_digest, shown=shown)
    return assignment.declared(
        plan.taxonomy,
        leaf_vectors(plan.taxonomy, embed) if plan.reading.questions is None else None,
        release=release.id,
        extraction=plan.extraction_digest,
        shown=shown,
        at_most=plan.at_most,
    )


def publish_places(found: Assignment, layout: Layout, signer: Ed25519PrivateKey) -> None:
    """Put beside a release what places a conversation under its topics, for live questions. Repeatable.

    Call it before the ledger calls the release released: afterwards the places are gone.

    Raises:
        StorageError: it could not be written. InputError: there are too many places.
    """
    path = durable.directory(layout.releases) / f"{found.release}{assignment.SUFFIX}"
    durable.write(path, [assignment.encode(found, signer)])


def published(layout: Layout) -> Iterator[tuple[str, str]]:
    """Dataset and epoch of every release here; a file that is none is not served either."""
    for path in layout.releases.glob("*.json"):
        with suppress(InputError):
            release = document.decode(strict_json.loads(path.read_bytes()))
            yield release.dataset, release.epoch


def _pin(layout: Layout, key: Ed25519PublicKey) -> None:
    """Write the public key that readers check releases against.

    Raises:
        KeyMissing: another key is pinned: the root key is not the one that made the releases here.
    """
    ours, path = key.public_bytes_raw().hex(), layout.release_key
    if not path.exists():
        durable.write(path, [ours.encode() + b"\n"])
    elif path.read_text().strip() != ours:
        raise KeyMissing(f"{path}: the releases here are signed by another root key; use that one, or another --data")
