"""A log in one file of JSON lines, to verify where neither the deployment nor its database is: out, and back in."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from sfumato.audit.checkpoint import LogKey
from sfumato.audit.replay import StoredEntry, Tampered
from sfumato.audit.verify import Stored
from sfumato.errors import InputError, StorageError
from sfumato.model.strict_json import Node, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from hashlib import _Hash as Hash
    from pathlib import Path
    from typing import BinaryIO

    from sfumato.model.strict_json import JsonObject

FORMAT = "sfumato.audit.export/1"
LONGEST_LINE = 1 << 20


def write(path: Path, stored: Stored) -> int:
    """Keys and checkpoints, then each entry as it is stored, then how many and a digest of all above; how many.

    Raises:
        StorageError: a file is there already, or it can't be written.
    """
    head: JsonObject = {
        "format": FORMAT,
        "keys": [str(key) for key in stored.keys],
        "checkpoints": [base64.b64encode(note).decode() for _, note in stored.notes],
    }
    digest, count = sha256(), -1
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            for line in chain([dumps(head)], (entry.body for entry in stored.entries)):
                digest.update(line + b"\n")
                file.write(line + b"\n")
                count += 1
            file.write(_end(count, digest.hexdigest()))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        raise StorageError(f"{path}: {failure.strerror}") from None
    return count


@contextmanager
def reading(path: Path) -> Iterator[Stored]:
    """The log in an exported file.

    Raises:
        InputError: it is no such file, or its first line is damaged.
    """
    try:
        file = path.open("rb")
    except OSError as failure:
        raise InputError(f"{path}: {failure.strerror}") from None
    with file:
        first = file.readline()
        keys, notes = _head(path, first)
        yield Stored(keys=keys, entries=_entries(file, sha256(first)), nodes=None, notes=notes)


def _head(path: Path, line: bytes) -> tuple[tuple[LogKey, ...], tuple[tuple[int, bytes], ...]]:
    try:
        document = loads(line)
        found = Node(document).fields("format", "keys", "checkpoints")
        found["format"].one_of(FORMAT)
        keys = tuple(LogKey.parse(key.text()) for key in found["keys"].items())
        notes = tuple(base64.b64decode(note.text(), validate=True) for note in found["checkpoints"].items())
        if dumps(document) + b"\n" == line:
            return keys, tuple((_size(note), note) for note in notes)
    except (InputError, ValueError):
        pass
    raise InputError(f"{path}: not an exported audit log, or its first line was altered")


def _size(note: bytes) -> int:
    """What the note says; `verify` checks the rest of it."""
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else -1


def _entries(file: BinaryIO, digest: Hash) -> Iterator[StoredEntry]:
    """Each entry, once another line is seen to follow it: the last line is no entry."""
    seq, line = 0, file.readline(LONGEST_LINE)
    while following := file.readline(LONGEST_LINE):
        digest.update(line)
        yield StoredEntry(seq=seq, body=line.removesuffix(b"\n"))
        seq, line = seq + 1, following
    if line != _end(seq, digest.hexdigest()):
        raise Tampered(seq, "the file was cut off, or altered where no checkpoint signs it")


def _end(count: int, digest: str) -> bytes:
    return dumps({"entries": count, "sha256": digest}) + b"\n"
