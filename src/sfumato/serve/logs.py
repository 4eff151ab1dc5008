"""Log lines as JSON, in fields that are listed here: what is not on the list is dropped and counted, never written."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from typing import TextIO

NUMBERS = frozenset({"status", "milliseconds", "count", "dropped_fields"})
WORDS = frozenset({"method", "route", "operation", "decision", "reason", "key_id", "role", "exception", "place"})
FRAME = frozenset({"event", "level", "timestamp", "logger"})  # what the chain itself adds
_WORD = re.compile(r"[A-Za-z0-9_./{}:-]{1,100}")
_LINE = 500


class AllowList:
    """Drops every field that is not listed, or whose value is not of its kind; `dropped` counts them."""

    def __init__(self) -> None:
        self.dropped = 0
        self.told: Callable[[int], None] | None = None

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The event with what may be written."""
        kept = {name: value for name, value in event.items() if name in FRAME or _allowed(name, value)}
        lost = len(event) - len(kept)
        if lost:
            self.dropped += lost
            kept["dropped_fields"] = lost
            if self.told is not None:
                self.told(lost)
        return kept


def _allowed(name: str, value: object) -> bool:
    if name in NUMBERS:
        return type(value) in {int, float}
    return name in WORDS and isinstance(value, str) and _WORD.fullmatch(value) is not None


def _ours_only(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A line of another library is its name and level: its words are not ours to vouch for."""
    record = event.get("_record")
    if record is not None and not record.name.startswith("sfumato"):
        event["event"] = "a line of another library, not shown"
    raised = event.pop("exc_info", None)
    if isinstance(raised, tuple) and raised[0] is not None:
        event["exception"] = raised[0].__name__
    return event


def _one_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    text = "".join(char if char.isprintable() else " " for char in str(event["event"]))
    event["event"] = text[:_LINE]
    return event


@contextmanager
def written(stream: TextIO | None = None) -> Iterator[AllowList]:
    """Every log line of this process through the list, one JSON object a line, while inside; then as it was.

    Ours from INFO on, other libraries' from WARNING on. stream: standard error where none is given.
    """
    allow = AllowList()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(allow))
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


def _formatter(allow: AllowList) -> logging.Formatter:
    first: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    then: list[structlog.types.Processor] = [
        _ours_only,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        allow,
        _one_line,
        structlog.processors.JSONRenderer(sort_keys=True),
    ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=then)


def line(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """One line at INFO with these fields; `event` is a fixed sentence of ours."""
    if logger.isEnabledFor(logging.INFO):
        logger.info(event, extra=fields)
