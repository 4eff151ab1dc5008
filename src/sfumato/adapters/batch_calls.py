"""The calls of the Message Batches API: create one, wait for its end, read its results, find one that got lost."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.adapters.attempts import MESSAGES
from sfumato.adapters.faults import Fault
from sfumato.adapters.line import MOST_TRIES
from sfumato.adapters.pacing import unusable
from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sfumato.adapters.line import Line
    from sfumato.adapters.tickets import Ticket
    from sfumato.model.strict_json import JsonObject

BATCHES = MESSAGES + "/batches"
CLOCKS_DIFFER_S = 300.0
CREATED_WITHIN_S = 1800.0
LONGEST_BATCH_S = 26 * 3600.0  # the API ends every batch after 24 hours
MOST_PAGES = 20
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class BatchCalls:
    """Over one line, which paces them and decides when the endpoint is gone.

    Addresses are built from our base_url and a batch's id: `results_url`, which could name another host, is not used.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    async def create(self, ticket: Ticket, bodies: Sequence[bytes]) -> str:
        """The id of a new batch; its custom_ids are the ticket's nonce and a place.

        Where the answer got lost, the batch is looked for before another is made.

        Raises:
            ModelUnavailable: it is refused, or the endpoint is gone.
        """
        parts = [
            b'{"custom_id":"%s-%d","params":%s}' % (ticket.nonce.encode(), place, body)
            for place, body in enumerate(bodies)
        ]
        whole = b'{"requests":[' + b",".join(parts) + b"]}"
        for attempt in range(1, MOST_TRIES + 1):
            found = await self._line.call("POST", BATCHES, body=whole)
            created = _id(parsed(found)) if isinstance(found, bytes) else None
            if isinstance(found, Fault) and found.kind in {"rejected", "unusable"}:
                raise self._refused(found, len(bodies))
            if created is None and (isinstance(found, bytes) or found.maybe_billed):
                created = await self.find(ticket, size=len(bodies))
            if created is not None:
                return created
            await asyncio.sleep(self._line.tempo.wait(attempt))
        raise ModelUnavailable(f"{self._line.endpoint.place} took no batch in {MOST_TRIES} attempts: try later")

    async def ended(self, batch_id: str) -> bool:
        """Wait until the batch has ended, asking less and less often; False where there is no such batch.

        Raises:
            ModelUnavailable: it does not end, or the endpoint is gone.
        """
        pause, waited = self._line.tempo.first_poll_s, 0.0
        while waited < LONGEST_BATCH_S:
            found = await self._line.insist("GET", f"{BATCHES}/{batch_id}")
            if isinstance(found, Fault):
                if found.status == 404:  # noqa: PLR2004 - HTTP's own
                    return False
                raise unusable(found, self._line.endpoint)
            if parsed(found).get("processing_status") == "ended":
                return True
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            waited += pause
            pause = min(pause * 1.5, self._line.tempo.longest_poll_s)
        raise ModelUnavailable(f"{self._line.endpoint.place} has a batch that does not end: cancel it and run again")

    async def results(self, batch_id: str, take: Callable[[bytes], None]) -> bool:
        """Hand over each line of an ended batch's results; False where they are gone.

        Some lines come twice where the stream had to begin anew.

        Raises:
            ModelUnavailable: they were cut off every time. And what `take` raises.
        """
        for attempt in range(1, MOST_TRIES + 1):
            broken = await self._line.each_line(f"{BATCHES}/{batch_id}/results", take)
            if broken is None:
                return True
            if broken.kind in {"rejected", "unusable"}:
                return False
            await asyncio.sleep(self._line.tempo.wait(attempt))
        raise ModelUnavailable(f"{self._line.endpoint.place} cut off the results of a batch every time: try later")

    async def find(self, ticket: Ticket, *, size: int) -> str | None:
        """The id of a batch that may have been created for a ticket: of its time and size, with its nonce inside.

        What is inside is only seen once a batch has ended, so this may wait for one that turns out to be another's.
        """
        async for batch in self._listed(ticket.at - CLOCKS_DIFFER_S):
            found = _id(batch)
            late = _created(batch) > ticket.at + CREATED_WITHIN_S + CLOCKS_DIFFER_S
            if found is None or late or _requests(batch) != size:
                continue
            if await self.ended(found) and await self._is_ours(found, ticket.nonce):
                return found
        return None

    async def _listed(self, oldest: float) -> AsyncIterator[JsonObject]:
        """Batches of this key, newest first, as far back as `oldest` (seconds since 1970)."""
        path = f"{BATCHES}?limit=100"
        for _ in range(MOST_PAGES):
            found = await self._line.insist("GET", path)
            page = parsed(found) if isinstance(found, bytes) else {}
            batches = page.get("data")
            for batch in batches if isinstance(batches, list) else []:
                if isinstance(batch, dict):
                    if _created(batch) < oldest:
                        return
                    yield batch
            last = page.get("last_id")
            if not page.get("has_more") or not isinstance(last, str) or not _ID.fullmatch(last):
                return
            path = f"{BATCHES}?limit=100&after_id={last}"

    async def _is_ours(self, batch_id: str, nonce: str) -> bool:
        ours: list[bool] = []

        def take(raw: bytes) -> None:
            name = parsed(raw).get("custom_id")
            ours.append(isinstance(name, str) and name.startswith(f"{nonce}-"))

        await self.results(batch_id, take)
        return any(ours)

    def _refused(self, fault: Fault, requests: int) -> ModelUnavailable:
        place = self._line.endpoint.place
        if fault.status in {404, 405}:
            return ModelUnavailable(f"{place} knows no Message Batches ({fault.status}): set batch to false")
        if fault.kind == "rejected":
            said = f"rejected a batch of {requests} requests ({fault.status})"
            return ModelUnavailable(f"{place} {said}: set batch to false")
        return unusable(fault, self._line.endpoint)


def parsed(raw: bytes) -> JsonObject:
    """The JSON object in a line or a body; an empty one where there is none."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _id(batch: JsonObject) -> str | None:
    found = batch.get("id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _created(batch: JsonObject) -> float:
    """Seconds since 1970; a batch that does not say counts as created just now."""
    try:
        found = datetime.fromisoformat(str(batch.get("created_at")))
    except ValueError:
        return time.time()
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def _requests(batch: JsonObject) -> int:
    counts = batch.get("request_counts")
    return sum(one for one in counts.values() if isinstance(one, int)) if isinstance(counts, dict) else -1
