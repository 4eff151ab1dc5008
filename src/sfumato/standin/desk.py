"""Takes calls and batches, decides what becomes of each, and counts it before anybody is told."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.private import Private
from sfumato.standin import call as calls
from sfumato.standin import messages
from sfumato.standin.batches import Batch, Entry, Shelf, requests
from sfumato.standin.counters import Counters
from sfumato.standin.faults import Chooser, Deed, Request, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.standin.journal import Journal

CALLS_AT_A_STRETCH = 8  # of a batch, before others get their turn


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settled(Private):
    """What is to be sent for one call, and the event that counts it."""

    deed: Deed
    body: JsonObject
    event: JsonObject


@dataclass(slots=True, kw_only=True)
class Desk:
    """The state of one stand-in. batch_seconds: how long a batch takes. clock: seconds since the epoch."""

    rules: Rules
    batch_seconds: float
    journal: Journal | None = None
    clock: Callable[[], float] = time.time
    counters: Counters = field(default_factory=Counters)
    shelf: Shelf = field(default_factory=Shelf)
    _chooser: Chooser = field(init=False)
    _cached: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chooser = Chooser(rules=self.rules)

    def replay(self, events: Sequence[JsonObject]) -> None:
        """Take up what a journal holds.

        Raises:
            InputError: it is not what this version writes.
        """
        try:
            for event in events:
                self._fold(event)
        except (KeyError, TypeError):
            raise InputError("the state file is damaged; give another path") from None

    def record(self, event: JsonObject) -> None:
        """Write an event down and count it."""
        if self.journal:
            self.journal.append(event)
        self._fold(event)

    def reset(self) -> None:
        """As new: no counts, no batches, rules counted from the start."""
        if self.journal:
            self.journal.clear()
        in_flight = self.counters.in_flight
        self.counters = Counters(in_flight=in_flight, max_in_flight=in_flight)
        self.shelf = Shelf()
        self._chooser = Chooser(rules=self.rules)
        self._cached.clear()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While a call is open."""
        counters = self.counters
        counters.arrived()
        try:
            yield
        finally:
            self.counters.left()

    def decide(self, params: Json, request: Request = "messages", request_id: str = "") -> Settled:
        """What becomes of one call. Nothing is counted yet: `record` the event when it is."""
        try:
            call = calls.read(params)
            attempt = self.counters.attempt(call.digest)
            deed = self._chooser.of_call(call, request, attempt)
            event: JsonObject = {"event": "call", "digest": call.digest, "batch": request == "entries"}
            if call.lax_schema:
                event["lax"] = True
            if deed.kind in {"drop", "stall", "error"}:
                body = messages.error(deed.status, request_id) if deed.kind == "error" else {}
                return Settled(deed=deed, body=body, event={**event, "kind": deed.name})
            kind, body = messages.message(
                call,
                deed,
                cached=call.system in self._cached,
                attempt=attempt,
                batch=request == "entries",
                guess=self.rules.guess,
            )
        except (InputError, RecursionError) as wrong:
            said = str(wrong) if isinstance(wrong, InputError) else "the request is nested too deeply"
            return Settled(
                deed=Deed(kind="error", status=400),
                body=messages.error(400, request_id, said),
                event={"event": "call", "kind": "rejected"},
            )
        if call.caches:
            self._cached.add(call.system)
        return Settled(deed=deed, body=body, event={**event, "kind": kind, "usage": body["usage"]})

    async def make_batch(self, body: Json) -> Batch:
        """A new batch, all its results worked out, so that no prompt has to be kept.

        Raises:
            InputError: the body is not that of a batch.
        """
        entries = []
        for index, (custom_id, params) in enumerate(requests(body)):
            if index % CALLS_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            entries.append(_entry(custom_id, self.decide(params, "entries")))
        now = self.clock()
        batch = Batch(
            id=f"msgbatch_{secrets.token_hex(12)}",
            created_at=now,
            ends_at=now + self.batch_seconds,
            entries=tuple(entries),
        )
        self.record(batch.event())
        return self.shelf.held[batch.id]

    def settle(self) -> None:
        """Count the batches whose time is up: answers are paid for when a batch ends."""
        for batch in self.shelf.due(self.clock()):
            self.record({"event": "settled", "id": batch.id})

    def request_fault(self, request: Request) -> Deed:
        """What to do with a request about batches."""
        number = self.counters.requests[request]
        deed = self._chooser.of_request(request, number)
        kind = deed.name if deed.kind not in {"answer", "slow"} else ""
        self.record({"event": "request", "request": request, "kind": kind})
        return deed

    def _fold(self, event: JsonObject) -> None:
        match event["event"]:
            case "call":
                self.counters.ended(event)
            case "request":
                self.counters.requests[str(event["request"])] += 1
                if event["kind"]:
                    self.counters.failures[f"{event['request']}:{event['kind']}"] += 1
            case _:
                self.shelf.apply(event)
                if event["event"] == "settled":
                    for outcome in _outcomes(self.shelf.held[str(event["id"])]):
                        self.counters.ended(outcome)


def _entry(custom_id: str, settled: Settled) -> Entry:
    result: JsonObject
    match settled.deed.kind:
        case "drop" | "stall":
            result = {"type": "expired"}
        case "error":
            result = {"type": "errored", "error": settled.body}
        case _:
            result = {"type": "succeeded", "message": settled.body}
    return Entry(custom_id=custom_id, result=result, outcome=settled.event)


def _outcomes(batch: Batch) -> Iterator[JsonObject]:
    for entry in batch.entries:
        if batch.cancelled_at is None:
            yield entry.outcome
        else:
            yield {"event": "call", "kind": "canceled", "digest": entry.outcome.get("digest"), "batch": True}
