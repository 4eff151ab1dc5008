"""Many threads, one write: whoever's turn comes writes for all who wait, so that one flush to disk serves them all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sfumato.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfumato.audit.event import Event


class _Waiting:
    """One event, and its number once it is written."""

    __slots__ = ("event", "seq", "tried")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.seq: int | None = None
        self.tried = False


class Turns:
    """`write` of single events by way of a function that writes several, all or none."""

    def __init__(self, write_all: Callable[[Sequence[Event]], range]) -> None:
        self._write_all = write_all
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._queue: list[_Waiting] = []

    def write(self, event: Event) -> int:
        """The event's number, once it is written.

        Raises:
            StorageError: it was not; where another thread wrote, that thread has the cause.
        """
        mine = _Waiting(event)
        with self._guard:
            self._queue.append(mine)
        with self._turn:
            if not mine.tried:
                self._write_waiting()
        if mine.seq is None:
            raise StorageError("the audit log could not be written; what was to be done must not go on")
        return mine.seq

    def _write_waiting(self) -> None:
        with self._guard:
            batch, self._queue = self._queue, []
        try:
            numbers = self._write_all([one.event for one in batch])
            for one, seq in zip(batch, numbers, strict=True):
                one.seq = seq
        finally:
            for one in batch:
                one.tried = True
