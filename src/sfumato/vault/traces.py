"""What of a key said to be destroyed is still in the key store, under whatever name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.vault import durable, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper

OPENS = "its key still opens"
STAYS = "a file in the key store still holds it, wrapped"
UNTRIED = "a root key could not be tried: its keeper does not answer or refuses"
CLOSED = "a key file of this epoch is there and does not open"


def of_key(directory: Path, roots: Sequence[KeyWrapper], context: Mapping[str, str]) -> list[str]:
    """Every file of the store that names this key, copies and leftovers too: whether it opens, or only lies there.

    A wrapped key that opens carries its id, so a file without it is another key's.
    """
    key_id, found = bytes.fromhex(context["key"]), set()
    for path in directory.iterdir() if directory.is_dir() else ():
        content = _content(path)
        if key_id in content:
            found.add(_tried(content, roots, context))
    return sorted(found)


def of_name(path: Path, roots: Sequence[KeyWrapper], context: Mapping[str, str]) -> list[str]:
    """The file that lies where the key did: a newer key, which opens as such, or something that can't be told."""
    content = _content(path)
    if not any(content):
        return []
    try:
        newer = wrapped.parse(content, written=0, name=path.name)
    except VaultError:
        return [CLOSED]
    tried = _tried(content, roots, {**context, "key": newer.id.hex()})
    return {OPENS: [], UNTRIED: [UNTRIED]}.get(tried, [CLOSED])


def _content(path: Path) -> bytes:
    if path.is_symlink() or path.is_dir():
        return path.name.encode()  # no key of ours, and yet there
    if not path.exists():
        return b""
    with durable.storage(path), durable.reading(path) as file:
        return file.read(wrapped.MOST_BYTES + 1)


def _tried(content: bytes, roots: Sequence[KeyWrapper], context: Mapping[str, str]) -> str:
    worst = STAYS
    try:
        found = wrapped.parse(content, written=0, name="a file")
    except VaultError:
        return worst
    if found.cut:
        context = {**context, "cut": found.cut}
    for root in roots:
        try:
            root.unwrap(found.blob, context)
        except VaultError:
            continue
        except (KeyMissing, StorageError):
            worst = UNTRIED
        else:
            return OPENS
    return worst
