"""Log lines as JSON, in fields that are listed here: what is not on the list is dropped and counted, never written."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.serve.gathered import Gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

NUMBERS = frozenset({"status", "milliseconds", "count", "dropped_fields"})
WORDS = frozenset({"method", "route", "operation", "decision", "reason", "key_id", "role", "exception", "place"})
FOREIGN = "a line of another library, not shown"
_WORD = re.compile(r"[A-Za-z0-9_./{}:-]{1,100}")
_LINE = 500
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KNOWN = 4096
_quoted = json.JSONEncoder().encode


class AllowList(logging.Formatter):
    """Drops every field that is not listed, or whose value is not of its kind; `dropped` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._known: dict[tuple[str, str], str] = {}  # only what is on the list: the same few, again and again
        self._second = (0, "")
        self.told: Callable[[int], None] | None = None

    def format(self, record: logging.LogRecord) -> str:
        """The record as one JSON object; another library's without its words, which are not ours to vouch for."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
        event = _one_line(record.getMessage()) if record.name.startswith("sfumato") else FOREIGN
        return self.line(record.levelname.lower(), record.name, event, record.created, fields)

    def line(self, level: str, logger: str, event: str, created: float, fields: Mapping[str, object]) -> str:
        """The same of what makes a record up; level, logger and event are ours."""
        parts = [part for part in map(self._part, fields, fields.values()) if part is not None]
        lost = len(fields) - len(parts)
        if lost:
            self.dropped += lost
            parts.append(f'"dropped_fields": {lost}')
            if self.told is not None:
                self.told(lost)
        parts.append(f'"event": {_quoted(event)}')
        parts.append(f'"level": "{level}"')
        parts.append(f'"logger": {_quoted(logger)}')
        parts.append(f'"timestamp": "{self._time(created)}"')
        parts.sort()
        return "{" + ", ".join(parts) + "}"

    def _part(self, name: str, value: object) -> str | None:
        """A field as it is written; None where it is not on the list, or not of its kind."""
        if name in NUMBERS:
            return f'"{name}": {value!r}' if type(value) in {int, float} else None
        if name not in WORDS or not isinstance(value, str):
            return None
        part = self._known.get((name, value))
        if part is None and _WORD.fullmatch(value) is not None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            part = self._known[name, value] = f'"{name}": {_quoted(value)}'
        return part

    def _time(self, created: float) -> str:
        """UTC, to the microsecond; the second is written out once."""
        second = int(created)
        if second != self._second[0]:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        return f"{self._second[1]}.{int((created - second) * 1_000_000):06d}Z"


def _one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return text[:_LINE]


@contextmanager
def written(stream: TextIO | None = None) -> Iterator[AllowList]:
    """Every log line of this process through the list, one JSON object a line, while inside; then as it was.

    Ours from INFO on, other libraries' from WARNING on. stream: standard error where none is given.
    """
    allow = AllowList()
    handler = Gathered(stream or sys.stderr)
    handler.setFormatter(allow)
    root, ours = logging.getLogger(), logging.getLogger("sfumato")
    before = root.handlers, root.level, ours.level
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        with handler.running():
            yield allow
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])


def line(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """One line at INFO with these fields, within a moment; `event` is a fixed sentence of ours."""
    if not logger.isEnabledFor(logging.INFO):
        return
    only = logging.root.handlers[0] if len(logging.root.handlers) == 1 and not logger.handlers else None
    if isinstance(only, Gathered) and isinstance(only.formatter, AllowList):  # what a record would come to, without it
        only.take(only.formatter.line("info", logger.name, event, time.time(), fields))
        return
    record = logging.LogRecord(logger.name, logging.INFO, "", 0, event, None, None)  # who called is never shown
    vars(record).update(fields)
    logger.handle(record)
