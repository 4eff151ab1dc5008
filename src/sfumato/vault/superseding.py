"""Puts new bytes in the place of a wrapped key and zeros the old: never a moment without one, nor a copy left behind.

Every function here is called under the key store's lock, so a temporary name that it meets is what a crash left.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def supersede(path: Path, content: bytes, *, made: int) -> None:
    """Replace a file's content. A crash leaves the old or the new under its name, and the rest for `clear`.

    made: the file's date afterwards, seconds since 1970: a key does not get younger by being wrapped anew.

    Raises:
        StorageError: it can't be written; the file is as it was.
    """
    with replacing(path):
        durable.write(path, [content])
        with durable.storage(path):
            os.utime(path, (made, made))


@contextmanager
def replacing(path: Path) -> Iterator[None]:
    """Inside, give a file new content whole; on leaving, the old is zeroed and unlinked.

    Raises:
        StorageError: it can't be.
    """
    old = path.with_name(f".{path.name}.{secrets.token_hex(8)}{durable.TEMPORARY}")
    with durable.storage(path):
        os.link(path, old, follow_symlinks=False)
    yield
    clear(path)


def clear(path: Path) -> int:
    """Zero and unlink what was left beside `path` by writers that died; how many files.

    Raises:
        StorageError: one can't be overwritten or removed.
    """
    names = leftovers(path.parent, of=path)
    for name in names:
        with durable.storage(name):
            # A writer that died before it wrote leaves a second name of the key itself: that is only unlinked.
            if not (path.exists() and name.samefile(path)):
                zero(name)
    return durable.remove(names, inside=path.parent) if names else 0


def leftovers(directory: Path, *, of: Path | None = None) -> list[Path]:
    """Temporary files in the key store, of one key or of all; some may hold a wrapped key."""
    start = "." if of is None else f".{of.name}."
    return sorted(
        path for path in directory.iterdir() if path.name.startswith(start) and path.suffix == durable.TEMPORARY
    )


def target(leftover: Path) -> Path:
    """The file beside which a temporary one was left."""
    return leftover.with_name(leftover.name[1:].rsplit(".", 2)[0])


def zero(path: Path) -> int:
    """Overwrite with zeros and flush; how many bytes. Raises OSError, FileNotFoundError and for a link too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        count = os.fstat(descriptor).st_size
        file.write(bytes(count))
        file.flush()
        os.fsync(descriptor)
    return count
