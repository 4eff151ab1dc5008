"""Where a signed release goes: a file of its own that readers check against a pinned key."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from sfumato.errors import InputError, KeyMissing
from sfumato.model import document, strict_json
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sfumato.model.layout import Layout


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
