"""Files that are either wholly on disk or not there, and nobody else's to read."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sfumato.errors import Refused, StorageError
from sfumato.model.disk import cause

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEMPORARY = ".tmp"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Every OSError inside becomes a StorageError of one line about `path`."""
    try:
        yield
    except OSError as failure:
        raise StorageError(f"{path}: {cause(failure)}") from None


def directory(path: Path) -> Path:
    """The directory, made with mode 0700 where it is not there, its name flushed lest it goes with what it holds."""
    with storage(path):
        for made in reversed([one for one in (path, *path.parents) if not one.exists()]):
            made.mkdir(mode=0o700, exist_ok=True)
            sync(made.parent)
        path.mkdir(mode=0o700, exist_ok=True)  # refuses a file in its place
    return path


def write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write to a temporary name, flush to the disk, take the final name, flush the directory. Mode 0600.

    Raises:
        StorageError: full, read-only, forbidden; the final name is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY}")
    with storage(path.parent):
        try:
            _fill(temporary, pieces)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


def rename(path: Path, new: Path) -> None:
    """Give a file of one directory another name there, in the place of any that bears it, and flush the directory.

    Raises:
        StorageError: it bears the old name still, or may again after a power cut.
    """
    with storage(path):
        path.replace(new)
        sync(new.parent)


def create(path: Path, content: bytes) -> bool:
    """Write a file under its own name, flushed with its directory, mode 0600; False where anything lies there already.

    Raises:
        StorageError: full, read-only, forbidden.
    """
    with storage(path):
        try:
            _fill(path, [content])
        except FileExistsError:
            return False
        except OSError:
            path.unlink(missing_ok=True)
            raise
        sync(path.parent)
    return True


def _fill(path: Path, pieces: Iterable[bytes]) -> None:
    with os.fdopen(os.open(path, _CREATE, 0o600), "wb", buffering=1 << 20) as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time, for what reads and then writes in a directory; the lock ends with its holder.

    Raises:
        StorageError: the directory can't be opened.
    """
    with storage(directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with storage(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file while inside; the system lets go of it however the process ends.

    Raises:
        Refused: another process holds it. StorageError: the file can't be made.
    """
    with storage(path):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Refused("another sfumato is at work on this dataset and epoch; wait for it to end") from None
    try:
        yield
    finally:
        os.close(descriptor)


def sync(directory: Path) -> None:
    """Flush a directory, so that names made or removed in it stay so after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reading(path: Path) -> io.BufferedReader:
    """Open for reading; a symbolic link is refused (OSError)."""
    return os.fdopen(os.open(path, _READ), "rb")


def remove(paths: Iterable[Path], *, inside: Path) -> int:
    """Unlink files of one directory and flush it; how many there were.

    Raises:
        StorageError: one of them can't be removed.
    """
    count = 0
    with storage(inside):
        for path in paths:
            path.unlink(missing_ok=True)
            count += 1
        if count:
            sync(inside)
    return count
