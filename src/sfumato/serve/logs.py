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
_dumps = json.JSONEncoder(sort_keys=True).encode


class AllowList(logging.Formatter):
    """Drops every field that is not listed, or whose value is not of its kind; `dropped` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self.told: Callable[[int], None] | None = None

    def format(self, record: logging.LogRecord) -> str:
        """The record as one JSON object; another library's without its words, which are not ours to vouch for."""
        given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        kept = {name: value for name, value in given.items() if _allowed(name, value)}
        lost = len(given) - len(kept)
        if lost:
            self.dropped += lost
            kept["dropped_fields"] = lost
            if self.told is not None:
                self.told(lost)
        if record.exc_info and record.exc_info[0] is not None:
            kept["exception"] = record.exc_info[0].__name__
        kept["event"] = _one_line(record.getMessage()) if record.name.startswith("sfumato") else FOREIGN
        kept["level"] = record.levelname.lower()
        kept["logger"] = record.name
        kept["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return _dumps(kept)


def _allowed(name: str, value: object) -> bool:
    if name in NUMBERS:
        return type(value) in {int, float}
    return name in WORDS and isinstance(value, str) and _WORD.fullmatch(value) is not None


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
