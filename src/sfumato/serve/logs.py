"""Log lines as JSON, in fields that are listed here: what is not on the list is dropped and counted, never written."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
        parts, lost = [], 0
        for name, value in vars(record).items():
            if name not in _STANDARD:
                part = self._part(name, value)
                if part is None:
                    lost += 1
                else:
                    parts.append(part)
        if lost:
            self.dropped += lost
            parts.append(f'"dropped_fields": {lost}')
            if self.told is not None:
                self.told(lost)
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(f'"exception": {_quoted(record.exc_info[0].__name__)}')
        event = _one_line(record.getMessage()) if record.name.startswith("sfumato") else FOREIGN
        parts.append(f'"event": {_quoted(event)}')
        parts.append(f'"level": "{record.levelname.lower()}"')
        parts.append(f'"logger": {_quoted(record.name)}')
        parts.append(f'"timestamp": "{self._time(record.created)}"')
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
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(allow)
    root, ours = logging.getLogger(), logging.getLogger("sfumato")
    before = root.handlers, root.level, ours.level
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        yield allow
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])


def line(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """One line at INFO with these fields; `event` is a fixed sentence of ours."""
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, event, None, None)  # who called is never shown
        vars(record).update(fields)
        logger.handle(record)
