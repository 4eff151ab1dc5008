"""Keeps events in a file, each written before it is answered, so that a killed server comes back with its counts."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Self

from sfumato.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.model.strict_json import JsonObject

HEADER = b'{"format":"sfumato.standin/1"}\n'


class Journal:
    """One open file, held by one server. Not synced to disk: it outlives the process, not the machine.

    It holds digests, numbers, and the answers of batches; readable by its owner alone.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> tuple[Self, list[JsonObject]]:
        """The journal and the events in it. An event that was half written when the server was killed is cut off.

        Raises:
            StorageError: the file can't be opened, or another server holds it.
            InputError: the file is something else.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise StorageError(f"can't open the state file ({problem.strerror}); give another path") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            events = _events(descriptor, path.read_bytes())
        except OSError:
            os.close(descriptor)
            raise StorageError("the state file is held by another model-server; stop it or give another path") from None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor), events

    def append(self, event: JsonObject) -> None:
        """Write one event.

        Raises:
            StorageError: the disk is full or gone.
        """
        _write(self._descriptor, json.dumps(event, separators=(",", ":")).encode() + b"\n")

    def clear(self) -> None:
        """Forget all events."""
        os.ftruncate(self._descriptor, len(HEADER))

    def close(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)


def _events(descriptor: int, raw: bytes) -> list[JsonObject]:
    if HEADER.startswith(raw):  # new, or killed while it was made
        os.ftruncate(descriptor, 0)
        _write(descriptor, HEADER)
        return []
    if not raw.startswith(HEADER):
        raise InputError("the state file was not written by the model-server; give another path")
    whole = raw[: raw.rindex(b"\n") + 1]
    os.ftruncate(descriptor, len(whole))
    try:
        events = [json.loads(line) for line in whole[len(HEADER) :].splitlines()]
    except ValueError:
        raise InputError("the state file is damaged; give another path") from None
    if not all(isinstance(event, dict) and "event" in event for event in events):
        raise InputError("the state file is damaged; give another path")
    return events


def _write(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as problem:
        raise StorageError(f"can't write the state file ({problem.strerror})") from None
