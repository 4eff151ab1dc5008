"""Records that a program holds or fetches, such as rows of a cursor, as a source: the same road as a file's lines."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, BinaryIO, cast
from uuid import UUID

from sfumato.ingest.source import Streamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_RECORD = b"?\n"  # no JSON: what can't be written as JSON is counted as `not_json`, at its place


def rows(records: Iterable[Mapping[str, object]], *, name: str) -> Streamed:
    """A source for `Gateway.ingest`, read once, with one record in memory at a time.

    Records have the keys that a line of a log has, by the policy's `input`; times may be `datetime`, ids `UUID`. The
    report names a record by its position, from 1. name: how messages call the source, such as the table's name;
    records without an id of their own are told apart by it, so let it stay the same when the rows are given again.
    What iterating raises goes on to the caller, and the input then counts as broken off.
    """
    return Streamed(name=name, begin=lambda: cast("BinaryIO", io.BufferedReader(_Lines(map(_line, records)))))


def _line(record: object) -> bytes:
    try:
        fields = dict(record) if isinstance(record, Mapping) else record
        return json.dumps(fields, default=_plain, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        return NO_RECORD


def _plain(value: object) -> str:
    if isinstance(value, date):  # or a datetime, which is one
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


class _Lines(io.RawIOBase):
    """Lines that come one after another, as bytes to read."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Bytes of one line at most; 0 after the last."""
        if not self._left:
            self._left = memoryview(next(self._lines, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
