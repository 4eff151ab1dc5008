"""How fast an endpoint is asked, and when it counts as gone: what every call learns is there for all of them."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from sfumato.adapters.endpoint import Endpoint
    from sfumato.adapters.faults import Fault

MOST_EXHAUSTED = 20
BUSY_PATIENCE = 5  # times the patience: an overloaded endpoint that says so is alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds between attempts; tests make them short.

    first_wait_s doubles with each attempt up to longest_wait_s; knock_s is the longest pause between two knocks at a
    closed door; polls of a batch go from first_poll_s to longest_poll_s.
    """

    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    knock_s: float = 5.0
    first_poll_s: float = 5.0
    longest_poll_s: float = 120.0

    def wait(self, attempt: int) -> float:
        """Before attempt 1, 2, ...: exponential, between half and all of it, so that callers don't march in step."""
        full = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempt - 1, 30))
        return full * random.uniform(0.5, 1.0)

    def knock(self, attempt: int) -> float:
        """The same at a closed door."""
        return min(self.wait(attempt), self.knock_s * random.uniform(0.5, 1.0))


class Pace:
    """How many calls may be in flight: halved when the endpoint says it is too much, one more a round when it is not.

    Additive increase, multiplicative decrease (Chiu and Jain 1989). Belongs to one event loop.
    """

    def __init__(self, most: int, *, limit: float | None = None) -> None:
        self.limit = min(float(most), limit or float(most))
        self._most = most
        self._in_flight = 0
        self._round = 0
        self._held_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for a place; returns the round that it belongs to."""
        loop = asyncio.get_running_loop()
        while self._in_flight >= int(self.limit) or loop.time() < self._held_until:
            place = loop.create_future()
            self._waiting.append(place)
            await place
        self._in_flight += 1
        return self._round

    def leave(self) -> None:
        """The place is free again."""
        self._in_flight -= 1
        self._wake()

    def went_well(self) -> None:
        """An answer came."""
        self.limit = min(float(self._most), self.limit + 1.0 / max(self.limit, 1.0))

    def too_much(self, began_in: int, hold_s: float | None) -> None:
        """The endpoint asks for less; all calls of one round are one complaint. hold_s: and for silence until then."""
        if began_in == self._round:
            self._round += 1
            self.limit = max(1.0, self.limit / 2)
        if hold_s:
            loop = asyncio.get_running_loop()
            self._held_until = max(self._held_until, loop.time() + hold_s)
            loop.call_later(hold_s, self._wake)

    def _wake(self) -> None:
        free = int(self.limit) - self._in_flight
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1


class Health:
    """Whether anybody is there at all. Raises ModelUnavailable, in our words, once there is no point in going on."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._place = endpoint.place
        self._patience_s = endpoint.patience_s
        self._silent_since: float | None = None
        self._busy_since: float | None = None
        self._longest_hold_s = 0.0
        self._exhausted = 0

    def well(self) -> None:
        """An answer came."""
        self._silent_since = self._busy_since = None
        self._exhausted = 0

    def unwell(self, fault: Fault) -> None:
        """A call failed. Only that nobody was there, or all were too busy, is held against the endpoint here."""
        now = asyncio.get_running_loop().time()
        if fault.kind == "unreached":
            self._silent_since = self._silent_since or now
            if now - self._silent_since >= self._patience_s:
                raise ModelUnavailable(
                    f"nobody answers at {self._place}, {self._patience_s:.0f} s by now: start the model or set base_url"
                )
            return
        self._silent_since = None
        if fault.kind == "busy":
            self._busy_since = self._busy_since or now
            self._longest_hold_s = max(self._longest_hold_s, fault.hold_s or 0.0)
            if now - self._busy_since >= BUSY_PATIENCE * self._patience_s + 3 * self._longest_hold_s:
                raise ModelUnavailable(
                    f"{self._place} has been too busy to answer anything for {now - self._busy_since:.0f} s: try later"
                )

    def exhausted(self, how: str) -> None:
        """One prompt more has failed for good; many in a row without one success are not the prompts' fault."""
        self._exhausted += 1
        if self._exhausted >= MOST_EXHAUSTED:
            raise ModelUnavailable(
                f"{self._place} failed {MOST_EXHAUSTED} prompts in a row, every retry included ({how}): see its log"
            )


def unusable(fault: Fault, endpoint: Endpoint) -> ModelUnavailable:
    """The error for an endpoint that can't be used as configured."""
    place, status = endpoint.place, fault.status
    if status == 401:  # noqa: PLR2004 - HTTP's own
        return ModelUnavailable(f"{place} does not accept the API key (401): set the right one")
    if status == 402:  # noqa: PLR2004 - HTTP's own
        return ModelUnavailable(f"{place} wants to be paid first (402): see the provider's billing page")
    if status == 403:  # noqa: PLR2004 - HTTP's own
        return ModelUnavailable(f"{place} does not let this API key use {endpoint.model} (403): ask for access")
    if status == 404:  # noqa: PLR2004 - HTTP's own
        return ModelUnavailable(f"{place} knows no model {endpoint.model}, or no Messages API (404): check both names")
    if status is not None and 300 <= status < 400:  # noqa: PLR2004 - HTTP's own
        return ModelUnavailable(
            f"{place} sends elsewhere ({status}), which is not followed: set base_url to that place"
        )
    said = f"status {status}" if status is not None else fault.why
    return ModelUnavailable(f"{place} can't be used: {said}; check base_url")
