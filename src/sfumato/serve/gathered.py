"""Log lines on their way out: those of requests wait a moment and are written together, all others at once, in order.

A write for each would cost a request more than its answer. A process that is killed loses the requests' lines of its
last moment, as it loses their entries in the audit log (`audited`); nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

WAIT_SECONDS = 0.05
MOST_WAITING = 10_000  # lines; when nobody takes them away, who brings another one waits


class Gathered(logging.StreamHandler["TextIO"]):
    """A handler whose lines may wait. `running` is what takes them away meanwhile; its end writes all that is left."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: deque[str] = deque()
        self._some = threading.Event()
        self._ended = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Write what waits, and then this."""
        with self._alone():
            self._write_waiting()
            super().emit(record)

    def take(self, line: str) -> None:
        """Write this soon."""
        self._waiting.append(line)
        if not self._some.is_set():
            self._some.set()
        if len(self._waiting) >= MOST_WAITING:
            self._write_waiting()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take lines away while inside."""
        thread = threading.Thread(target=self._run, name="log lines", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._some.set()
            thread.join()
            self._write_waiting()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(WAIT_SECONDS)
            self._some.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        with self._alone():
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not lines:
                return
            try:
                self.stream.write("\n".join(lines) + "\n")
                self.flush()
            except (OSError, ValueError):
                return  # nobody reads any more; a server does not end for that

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock that `handle` and `flush` take too: a second one would be taken in either order."""
        self.acquire()
        try:
            yield
        finally:
            self.release()
