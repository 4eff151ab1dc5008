"""Where boxes lie until they are collected, each put there once, and what is known of those that were."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from sfumato.errors import KeyMissing, StorageError
from sfumato.inbox.box import HEAD_BYTES, TAG_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_WAITING = 10_000
BOX, COLLECTED = ".box", ".collected"
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NAME = re.compile(r"[0-9a-f]{32}")


class Inbox:
    """The folder `DIR/inbox`: the public key that boxes are sealed to, and a folder of boxes for each dataset."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "inbox"

    def public_key(self) -> X25519PublicKey:
        """What to seal to.

        Raises:
            KeyMissing: the gateway has not put it there yet, or it is none.
        """
        try:
            return X25519PublicKey.from_public_bytes(bytes.fromhex((self._folder / "key.pub").read_text("ascii")))
        except (OSError, ValueError):
            raise KeyMissing("the inbox has no public key; the gateway puts it there when it next collects") from None

    def offer(self, public: X25519PublicKey) -> None:
        """Put the public key there.

        Raises:
            KeyMissing: another one is there: boxes may wait that this gateway can't open.
            StorageError: it can't be written.
        """
        content = public.public_bytes_raw().hex().encode() + b"\n"
        with _storage(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _create(self._folder / "key.pub", content) and (self._folder / "key.pub").read_bytes() != content:
                raise KeyMissing("the inbox's public key is of another root key; collect its boxes with that one first")

    def tag(self, dataset: str, name: str) -> bytes | None:
        """The tag of the box that was put under this name, collected or not; None where there was none.

        Raises:
            StorageError: it can't be read.
        """
        for suffix in (BOX, COLLECTED):
            with _storage(self._folder), suppress(FileNotFoundError):
                return _head(self._path(dataset, name, suffix))[-TAG_BYTES:]
        return None

    def put(self, dataset: str, name: str, content: bytes) -> bool:
        """Put a box there, flushed to the disk; False where one of this name is there already.

        Raises:
            StorageError: it can't be written, or too many wait.
        """
        path = self._path(dataset, name, BOX)
        with _storage(self._folder):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sum(entry.name.endswith(BOX) for entry in os.scandir(path.parent)) >= MOST_WAITING:
                raise StorageError("too many boxes wait in the inbox; collect them")
            return _create(path, content)

    def datasets(self) -> list[str]:
        """Those of which boxes came."""
        with _storage(self._folder):
            found = [path.name for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []
        return sorted(name for name in found if _DATASET.fullmatch(name))

    def names(self, dataset: str) -> list[str]:
        """The boxes that wait, in the order of their names."""
        folder = self._path(dataset, "0" * 32, BOX).parent
        with _storage(self._folder):
            found = [path.stem for path in folder.glob(f"*{BOX}")] if folder.is_dir() else []
        return sorted(name for name in found if _NAME.fullmatch(name))

    def read(self, dataset: str, name: str) -> bytes:
        """The content of a box.

        Raises:
            StorageError: it can't be read.
        """
        with _storage(self._folder):
            return self._path(dataset, name, BOX).read_bytes()

    def collected(self, dataset: str, name: str) -> None:
        """Remove a box, keeping its tag, so that it is known when it is sent again.

        Raises:
            StorageError: it can't be removed.
        """
        path = self._path(dataset, name, BOX)
        with _storage(self._folder):
            _create(self._path(dataset, name, COLLECTED), _head(path))
            path.unlink()
            _flush(path.parent)

    def _path(self, dataset: str, name: str, suffix: str) -> Path:
        if not _DATASET.fullmatch(dataset) or not _NAME.fullmatch(name):
            raise ValueError("not the name of a dataset, or of a box")
        return self._folder / dataset / f"{name}{suffix}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _create(path: Path, content: bytes) -> bool:
    """Write a file whole under a name that is free, or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _flush(path.parent)
    return True


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise  # who calls knows what it means
    except OSError as failure:
        raise StorageError(f"{folder}: {failure.strerror}") from None
