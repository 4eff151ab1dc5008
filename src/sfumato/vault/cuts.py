"""What is kept of a raw key from which somebody was cut: the others' keys, sealed, beside the new key that opens them.

    dataset@part@raw.0123456789abcdef.cut    `People.plaintext` in an envelope under the new key, segment: the cut's id

The new key takes the old one's place in the key store whole or not at all, so a crash leaves the person in, or out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sfumato.errors import VaultError
from sfumato.vault import durable, superseding
from sfumato.vault.envelope import ID_BYTES, Place, context_of, open_sealed, seal
from sfumato.vault.names import SUFFIX, path_of
from sfumato.vault.people import People
from sfumato.vault.wrapped import CUT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.vault.names import Name

ENDING = ".cut"
PURPOSE = "people"


def write(directory: Path, name: Name, key_id: bytes, secret: bytes, people: People) -> str:
    """Seal who is left under a secret that was never used, and put it on the disk; the cut's id in hex.

    Raises:
        StorageError: it could not be written.
    """
    cut = os.urandom(CUT_BYTES)
    sealed = seal(secret, _place(key_id, cut), people.plaintext(), context=context_of(PURPOSE, *name))
    durable.write(_path(directory, name, cut.hex()), [sealed])
    return cut.hex()


def read(directory: Path, name: Name, key_id: bytes, secret: bytes, cut: str) -> People:
    """Who is left.

    Raises:
        VaultError: it is missing, altered or another's. StorageError: unreadable.
    """
    path = _path(directory, name, cut)
    with durable.storage(path):
        try:
            with durable.reading(path) as file:
                sealed = file.read()
        except FileNotFoundError:
            raise VaultError(f"{path.name} is missing from the key store: what it opened is lost") from None
    place = _place(key_id, bytes.fromhex(cut))
    return People.parse(open_sealed(secret, place, sealed, context=context_of(PURPOSE, *name)))


def clear(directory: Path, name: Name, *, but: str = "") -> int:
    """Zero and unlink what other cuts of this key left, or a crash in the middle of one; how many files.

    Raises:
        StorageError: one can't be overwritten or removed.
    """
    start = path_of(directory, name).name.removesuffix(SUFFIX)
    kept = f"{start}.{but}{ENDING}"
    found = [
        path
        for path in directory.iterdir()
        if path.name.removeprefix(".").startswith(f"{start}.") and ENDING in path.name and path.name != kept
    ]
    for path in found:
        with durable.storage(path):
            superseding.zero(path)
    return durable.remove(found, inside=directory) if found else 0


def _place(key_id: bytes, cut: bytes) -> Place:
    return Place(key_id=key_id, segment=cut.ljust(ID_BYTES, b"\0"), index=0)


def _path(directory: Path, name: Name, cut: str) -> Path:
    return path_of(directory, name).with_suffix(f".{cut}{ENDING}")
