"""JSON Lines, one conversation a line; a bad line is counted and named by its number, never raised or shown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Never

from sfumato.errors import InputError, NothingAccepted
from sfumato.ingest.record import BadRecord, FieldMapping, Records
from sfumato.ingest.source import Damaged, Held, Streamed, lines, named, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sfumato.ingest.pseudonym import Pseudonyms
    from sfumato.ingest.report import IngestReport
    from sfumato.ingest.source import Source
    from sfumato.model.conversation import Conversation
    from sfumato.model.guarantee import Unit

SURROGATE = re.compile("[\ud800-\udfff]")
EXPECTED = "one JSON object on each line is expected"
AGAIN = "a conversation that is already in counts once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """line_bytes: a longer line is passed over, unread. strict: the first bad line ends the reading.

    window: first moment of the epoch and first moment after it; a conversation dated outside is turned away, one
    without a date is taken to lie inside. turned_away: whether a conversation is of somebody who was forgotten.
    """

    line_bytes: int = 10 << 20
    strict: bool = False
    window: tuple[datetime, datetime] | None = None
    turned_away: Callable[[Conversation], bool] | None = None

    def admit(self, conversation: Conversation) -> Conversation:
        """The conversation, if its date and its owner allow.

        Raises:
            BadRecord: `wrong_epoch`, `forgotten`.
        """
        if self.turned_away is not None and self.turned_away(conversation):
            raise BadRecord("forgotten")
        if self.window is None or conversation.timestamp is None:
            return conversation
        if self.window[0] <= conversation.timestamp < self.window[1]:
            return conversation
        raise BadRecord("wrong_epoch")


def read(
    source: Source,
    *,
    mapping: FieldMapping,
    unit: Unit,
    limits: Limits,
    pseudonyms: Pseudonyms,
    report: IngestReport,
) -> Iterator[Conversation]:
    """Conversations of a path, or of standard input for `-`, plain or gzip, in constant memory.

    A record is `{conversation_id, user_id, messages: [{role, content}] | text, timestamp?, attributes?}`, its keys
    named by `mapping`. A message without a role is the user's. Where messages name their own speaker, only those of
    the one who opened the conversation are the unit's text; the others' turns get the role `assistant`. Turns without
    text are dropped. Identical bytes under one user, or one id, are one conversation however often they are read.

    Nothing is opened before the first conversation is asked for.

    Raises:
        InputError: missing, a directory, empty, binary, in another encoding, damaged gzip (after the conversations
            before the damage), no line acceptable, or, when strict, the first bad line.
    """
    name = named(source)
    records = Records(mapping=mapping, unit=unit, pseudonyms=pseudonyms, report=report, source=_origin(source))
    before = (report.lines, report.accepted)
    number = 0
    with opened(source) as stream:
        try:
            for number, line in enumerate(lines(stream, name=name, limit=limits.line_bytes), 1):
                if line is not None and (not line or line.isspace()):
                    continue
                report.lines += 1
                try:
                    conversation = limits.admit(_conversation(records, line, number))
                except BadRecord as bad:
                    report.reject(bad.reason, number)
                    if limits.strict:
                        raise InputError(
                            f"{name}: line {number}: {bad.reason}; the lines before it were read. "
                            f"Mend it, or read without strict, and run again: {AGAIN}"
                        ) from None
                    continue
                report.accepted += 1
                yield conversation
        except Damaged as damage:
            _damaged(name, number, damage)
    if report.lines == before[0]:
        raise InputError(f"{name} is empty: {EXPECTED}")
    if report.accepted == before[1]:
        raise NothingAccepted(f"{name}: no line could be accepted: {report.reasons()}; {report.advice() or EXPECTED}")


def _origin(source: Source) -> str:
    """The source's name without its folder, by which records without an id of their own are told apart."""
    return (
        source.name
        if isinstance(source, Held)
        else Path(named(source) if isinstance(source, Streamed) else source).name
    )


def _conversation(records: Records, line: bytes | None, number: int) -> Conversation:
    if line is None:
        raise BadRecord("too_long")
    records.report.bytes += len(line)
    try:
        text = line.decode()
        record: object = _decode(text)
        if "\\ud" in text or "\\uD" in text:
            record = _without_surrogates(record)
    except UnicodeDecodeError:
        raise BadRecord("not_utf8") from None
    except (ValueError, RecursionError):
        raise BadRecord("not_json") from None
    try:
        return records.conversation(record, line.strip(), number)
    except BadRecord:
        raise
    except Exception:  # noqa: BLE001 - what one user wrote must not decide whether the others are read
        raise BadRecord("bad_messages") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two values under one key are two readings of one record: which user is it?"""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice")
    return record


def _not_a_number(_text: str) -> Never:
    raise ValueError("JSON has no NaN and no infinity")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_a_number).decode


def _without_surrogates(value: object) -> object:
    r"""Half a surrogate pair, which only a \u escape can bring in, is no character: it becomes U+FFFD."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {SURROGATE.sub("\ufffd", key): _without_surrogates(item) for key, item in value.items()}
    return value


def _damaged(name: str, number: int, damage: Damaged) -> Never:
    raise InputError(
        f"{name}: the gzip data {damage} after line {number:,}; what came before was read. "
        f"Get a whole copy and run again: {AGAIN}"
    ) from None
