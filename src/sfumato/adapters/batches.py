"""Message Batches: half the price for an answer within a day; what fails in one goes into the next."""

from __future__ import annotations

import secrets
import time
from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sfumato.adapters import wire
from sfumato.adapters.attempts import Life
from sfumato.adapters.background import all_of
from sfumato.adapters.batch_calls import BatchCalls, parsed
from sfumato.adapters.faults import Fault, named_fields
from sfumato.adapters.pacing import unusable
from sfumato.adapters.tickets import Ticket, digest, matches
from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfumato.adapters.attempts import Account
    from sfumato.adapters.line import Line
    from sfumato.adapters.tickets import Book
    from sfumato.model.prompt import Prompt, Reply
    from sfumato.model.strict_json import Json

MOST_REQUESTS = 10_000  # of 100,000 that the API takes: several small ones end sooner than one large one
MOST_BYTES = 32 << 20  # of 256 MiB
MOST_AT_ONCE = 4
MOST_ROUNDS = 5
_NOT_THE_PROMPTS_FAULT = {
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Prompts (by index) that go into one batch, with what they may cost."""

    indices: tuple[int, ...]
    bodies: tuple[bytes, ...]
    worst: Decimal


class Batches:
    """All batches of one `complete`."""

    def __init__(self, account: Account, line: Line, *, book: Book, tell: Callable[[int, Reply], None]) -> None:
        self._account = account
        self._line = line
        self._calls = BatchCalls(line)
        self._book = book
        self._tell = tell
        self._lives: dict[int, Life] = {}
        self._digests: dict[int, str] = {}

    async def complete(self, prompts: Sequence[Prompt]) -> None:
        """Tell a reply for each prompt.

        Raises:
            ModelUnavailable: the endpoint can't be used, is gone, or has no batches.
            Refused: the spend cap.
            StorageError: the tickets can't be read.
        """
        self._lives = {index: Life(prompt, self._account) for index, prompt in enumerate(prompts)}
        if self._book.keeps:
            self._digests = {index: digest(prompt) for index, prompt in enumerate(prompts)}
        await self._resume()
        for _ in range(MOST_ROUNDS):
            await self._round()
        for index in sorted(self._lives):
            self._end(index, self._lives[index].over(self._lives[index].last))

    async def _resume(self) -> None:
        """Take what batches of an earlier process have, or will have; they are paid already."""
        for ticket in await self._book.read():
            wanted = {index: name for index, name in self._digests.items() if index in self._lives}
            places = matches(ticket, wanted)
            if not places:
                continue
            batch_id = ticket.batch_id or await self._calls.find(ticket, size=len(ticket.prompts))
            if batch_id is None:
                await self._book.drop(ticket)
                continue
            ticket = replace(ticket, batch_id=batch_id)  # noqa: PLW2901 - the same ticket, now with its id
            await self._book.write(ticket)
            if not await self._collect(ticket, places):
                await self._book.drop(ticket)

    async def _round(self) -> None:
        """One batch, or several, of all that has no reply yet."""
        queue = deque(sorted(self._lives))

        async def sender() -> None:
            while queue:
                group = self._take(queue)
                if self._account.meter.admit(group.worst) == "yes":
                    await self._send(group)
                else:  # back in line: once the batches in flight have ended, there is room for more than this
                    queue.extendleft(reversed(group.indices))
                    await self._account.room_for(group.worst)

        await all_of([sender] * MOST_AT_ONCE)

    def _take(self, queue: deque[int]) -> _Group:
        """The next prompts, as many as one batch and the cap have room for; at least one."""
        room = self._account.meter.room
        indices: list[int] = []
        bodies: list[bytes] = []
        size, worst = 0, Decimal(0)
        while queue and len(indices) < MOST_REQUESTS and size < MOST_BYTES:
            asked = self._lives[queue[0]].question()
            more = self._account.worst(asked, batch=True)
            if indices and room is not None and worst + more > room:
                break
            indices.append(queue.popleft())
            bodies.append(asked.body)
            size += len(asked.body)
            worst += more
        return _Group(indices=tuple(indices), bodies=tuple(bodies), worst=worst)

    async def _send(self, group: _Group) -> None:
        """Create a batch and see it through.

        Interrupted, it is counted when a later process takes its results; where none will, at its dearest now.
        """
        prompts = tuple(self._digests.get(index, "") for index in group.indices)
        ticket = Ticket(nonce=secrets.token_hex(8), at=time.time(), batch_id=None, prompts=prompts)
        seen: bool | None = None
        try:
            await self._book.write(ticket)
            ticket = replace(ticket, batch_id=await self._calls.create(ticket, group.bodies))
            await self._book.write(ticket)
            seen = await self._collect(ticket, dict(enumerate(group.indices)))
        except ModelUnavailable:
            seen = True if ticket.batch_id is None else None
            raise
        finally:
            found = self._book.keeps if seen is None else seen
            (self._account.meter.settle if found else self._account.meter.lose)(group.worst)

    async def _collect(self, ticket: Ticket, places: dict[int, int]) -> bool:
        """Take the results of a batch, once it has ended; False where they are gone. places: custom_id -> index."""
        if ticket.batch_id is None or not await self._calls.ended(ticket.batch_id):
            return False
        return await self._calls.results(ticket.batch_id, lambda raw: self._result(raw, ticket.nonce, places))

    def _result(self, raw: bytes, nonce: str, places: dict[int, int]) -> None:
        """One line of results. A place is taken once, however often a stream begins anew."""
        line = parsed(raw)
        name, result = line.get("custom_id"), line.get("result")
        if not isinstance(name, str) or not isinstance(result, dict):
            return
        owner, _, digits = name.rpartition("-")
        index = places.pop(int(digits), None) if owner == nonce and digits.isdecimal() else None
        if index is None or index not in self._lives:
            return
        if result.get("type") == "succeeded":
            self._succeeded(index, result.get("message"))
        elif result.get("type") == "errored":
            self._errored(index, result.get("error"))

    def _succeeded(self, index: int, value: Json) -> None:
        answer = wire.message(value, batch=True)
        if answer is not None:
            self._account.used(answer)
            self._line.health.well()
            self._end(index, self._lives[index].answered(answer))

    def _errored(self, index: int, value: Json) -> None:
        error = value.get("error", value) if isinstance(value, dict) else {}
        kind = error.get("type") if isinstance(error, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        if isinstance(kind, str) and kind in _NOT_THE_PROMPTS_FAULT:
            status = _NOT_THE_PROMPTS_FAULT[kind]
            raise unusable(Fault(kind="unusable", status=status), self._line.endpoint)
        if kind in {"invalid_request_error", "request_too_large"}:
            names = named_fields(said) if isinstance(said, str) else frozenset()
            reply = self._lives[index].rejected(Fault(kind="rejected", status=400, names=names))
            if reply is not None:
                self._line.health.exhausted("rejected in a batch")
            self._end(index, reply)

    def _end(self, index: int, reply: Reply | None) -> None:
        if reply is not None:
            del self._lives[index]
            self._tell(index, reply)
