"""Doing again, a moment before it is due, what many callers would otherwise wait for at once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_log = logging.getLogger(__name__)


class Ahead:
    """At most one thread, while there is something to do; what is asked for twice is done once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._asked: dict[Hashable, Callable[[], object]] = {}
        self._runs = False

    def ask(self, name: Hashable, work: Callable[[], object]) -> None:
        """Have this done soon. Where it fails nothing is renewed, and whoever needs it next finds out why."""
        with self._guard:
            self._asked[name] = work
            if self._runs:
                return
            self._runs = True
        try:
            threading.Thread(target=self._run, name="ahead", daemon=True).start()
        except RuntimeError:  # no more threads for now: whoever needs it does it, and the next one to ask tries again
            with self._guard:
                self._asked.clear()
                self._runs = False

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._asked:
                    self._runs = False
                    return
                name = next(iter(self._asked))
                work = self._asked[name]
            try:
                work()
            except SfumatoError:
                _log.debug("not renewed ahead of time")
            except BaseException:
                with self._guard:
                    self._asked.clear()
                    self._runs = False
                raise
            with self._guard:
                self._asked.pop(name, None)
