"""Message batches in memory: made whole, ended when their time is up, their results kept as the lines to be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.model.strict_json import Json, JsonObject

MOST_REQUESTS = 100_000
CANCEL_SECONDS = 0.2
DAY = 86_400
PAGE, LARGEST_PAGE = 20, 1_000
_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TALLIES = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Entry(Private):
    """One request of a batch and its result, worked out when the batch was made; no prompt is kept.

    outcome: the event to be counted once the batch has ended.
    """

    custom_id: str
    result: JsonObject
    outcome: JsonObject


@dataclass(slots=True, kw_only=True, repr=False)
class Batch(Private):
    """A batch. Times are seconds since the epoch; `settled` once its entries are counted."""

    id: str
    created_at: float
    ends_at: float
    entries: tuple[Entry, ...]
    cancelled_at: float | None = None
    settled: bool = False

    def cancel(self, now: float) -> None:
        """Stop it: what has not ended is canceled, all of it."""
        if self.cancelled_at is None and not self.ended(now):
            self.cancelled_at = now
            self.ends_at = min(self.ends_at, now + CANCEL_SECONDS)

    def ended(self, now: float) -> bool:
        return now >= self.ends_at

    def status(self, now: float) -> str:
        """`in_progress`, `canceling` or `ended`."""
        if self.ended(now):
            return "ended"
        return "in_progress" if self.cancelled_at is None else "canceling"

    def counts(self, now: float) -> dict[str, int]:
        """How many requests are in which state; zero but for `processing` until the batch has ended."""
        tally = dict.fromkeys(("processing", *_TALLIES), 0)
        if not self.ended(now):
            return tally | {"processing": len(self.entries)}
        for _, result in self.results():
            tally[str(result["type"])] += 1
        return tally

    def results(self) -> Iterator[tuple[str, JsonObject]]:
        """Custom id and result of each request, last one first: the order of results is not that of requests."""
        for entry in reversed(self.entries):
            yield entry.custom_id, entry.result if self.cancelled_at is None else {"type": "canceled"}

    def shown(self, now: float, base_url: str) -> JsonObject:
        """The batch as the API writes it."""
        ended = self.ended(now)
        counts: dict[str, Json] = {**self.counts(now)}
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status(now),
            "request_counts": counts,
            "created_at": _time(self.created_at),
            "expires_at": _time(self.created_at + DAY),
            "ended_at": _time(self.ends_at) if ended else None,
            "cancel_initiated_at": None if self.cancelled_at is None else _time(self.cancelled_at),
            "archived_at": None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if ended else None,
        }

    def event(self) -> JsonObject:
        """All of it, for the journal."""
        entries: list[Json] = [[entry.custom_id, entry.result, entry.outcome] for entry in self.entries]
        return {
            "event": "batch",
            "id": self.id,
            "created_at": self.created_at,
            "ends_at": self.ends_at,
            "entries": entries,
        }


@dataclass(slots=True, kw_only=True)
class Shelf:
    """All batches, in the order in which they were made."""

    held: dict[str, Batch] = field(default_factory=dict)

    def apply(self, event: JsonObject) -> None:
        """Fold one event of the journal: batch, cancel, settled, delete."""
        name = str(event["id"])
        match event["event"]:
            case "batch":
                self.held[name] = _from_event(event)
            case "cancel":
                self.held[name].cancel(_seconds(event["at"]))
            case "settled":
                self.held[name].settled = True
            case "delete":
                del self.held[name]

    def due(self, now: float) -> list[Batch]:
        """Batches that have ended and are not counted yet."""
        return [batch for batch in self.held.values() if not batch.settled and batch.ended(now)]

    def page(self, *, after: str | None, before: str | None, limit: int) -> tuple[list[Batch], bool]:
        """Newest first: what follows `after`, or what precedes `before`; and whether there is more.

        Raises:
            InputError: the limit is out of range, or the cursor is not a batch.
        """
        newest = list(reversed(self.held.values()))
        names = [batch.id for batch in newest]
        if not 1 <= limit <= LARGEST_PAGE or any(name and name not in self.held for name in (after, before)):
            raise InputError(f"limit: from 1 to {LARGEST_PAGE}; after_id, before_id: a batch that exists")
        if before:
            ahead = newest[: names.index(before)]
            return ahead[-limit:], len(ahead) > limit
        rest = newest[names.index(after) + 1 :] if after else newest
        return rest[:limit], len(rest) > limit


def requests(body: Json) -> list[tuple[str, Json]]:
    """Custom id and parameters of each request in the body of a creation.

    Raises:
        InputError: no requests, too many, or custom ids that are not ids or not distinct.
    """
    listed = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_REQUESTS:
        raise InputError(f"requests: from 1 to {MOST_REQUESTS} are required")
    found: dict[str, Json] = {}
    for index, request in enumerate(listed):
        name = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(request, dict) or not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
            raise InputError(f"requests.{index}.custom_id: must match [A-Za-z0-9_-]{{1,64}}")
        if name in found:
            raise InputError(f"requests.{index}.custom_id: stands twice")
        found[name] = request.get("params")
    return list(found.items())


def _from_event(event: JsonObject) -> Batch:
    listed = event["entries"]
    entries = [_entry_from(item) for item in listed] if isinstance(listed, list) else []
    return Batch(
        id=str(event["id"]),
        created_at=_seconds(event["created_at"]),
        ends_at=_seconds(event["ends_at"]),
        entries=tuple(entries),
    )


def _entry_from(item: Json) -> Entry:
    match item:
        case [str(name), dict(result), dict(outcome)]:
            return Entry(custom_id=name, result=result, outcome=outcome)
    raise InputError("the state file is damaged; give another path")


def _seconds(value: Json) -> float:
    if not isinstance(value, int | float):
        raise InputError("the state file is damaged; give another path")
    return float(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
