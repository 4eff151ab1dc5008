"""Which batches are under way, so that a process that was killed finds its own again instead of paying twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sfumato.errors import InputError, StorageError
from sfumato.model.private import Private
from sfumato.model.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sfumato.adapters.background import Outside
    from sfumato.adapters.endpoint import Endpoint
    from sfumato.model.prompt import Prompt
    from sfumato.model.strict_json import Json, JsonObject

KEPT_S = 28 * 86_400  # results are to be had for 29 days
DIGEST_BYTES = 16


class Tickets(Protocol):
    """Where tickets are kept: durable before `put` returns, and sealed, for a digest of a text is private too.

    Both are called from the thread that called `complete`.
    """

    def get(self, key: bytes) -> bytes | None:
        """What was put under the key last, or None."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Replace it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ticket(Private):
    """One batch, written down before it is created (batch_id None) and again once its id is known.

    nonce: the beginning of every custom_id in it, by which its results are known to be ours. at: seconds since 1970.
    prompts: digest of each prompt, in the order of the custom_ids.
    """

    nonce: str
    at: float
    batch_id: str | None
    prompts: tuple[str, ...]


def digest(prompt: Prompt) -> str:
    """Names a prompt by its content: the first half of SHA-256, in hexadecimal."""
    found = hashlib.sha256()
    schema = json.dumps(dict(prompt.schema), sort_keys=True)
    for part in (prompt.system, prompt.text, schema, str(prompt.max_tokens)):
        raw = part.encode("utf-8", "surrogatepass")
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()[: 2 * DIGEST_BYTES]


def matches(ticket: Ticket, wanted: Mapping[int, str]) -> dict[int, int]:
    """Place in the batch -> index of a prompt with that content; equal prompts are matched one to one."""
    by_digest: dict[str, deque[int]] = defaultdict(deque)
    for index, name in wanted.items():
        by_digest[name].append(index)
    return {place: by_digest[name].popleft() for place, name in enumerate(ticket.prompts) if by_digest.get(name)}


class Book:
    """The tickets of one model at one endpoint, kept under one key; without a store it forgets.

    What a kill can cost: nothing between the two writes of a ticket as long as the endpoint lists its batches, for
    there the batch is looked for by time, size and nonce. If clocks differ by more than five minutes, or the store
    loses a write, that one batch is paid twice.
    """

    def __init__(self, tickets: Tickets | None, endpoint: Endpoint, outside: Outside) -> None:
        self._tickets = tickets
        self._outside = outside
        self._key = hashlib.sha256(f"sfumato.batches/1\n{endpoint.base_url}\n{endpoint.model}".encode()).digest()
        self._held: dict[str, Ticket] = {}

    @property
    def keeps(self) -> bool:
        """Whether what is written survives this process."""
        return self._tickets is not None

    async def read(self) -> list[Ticket]:
        """All tickets whose results can still be had, oldest first.

        Raises:
            StorageError: what is stored is not what was put.
        """
        if self._tickets is None:
            return []
        tickets, key = self._tickets, self._key
        raw = await self._outside.ask(lambda: tickets.get(key))
        found = _decode(raw) if raw is not None else []
        oldest = time.time() - KEPT_S
        self._held = {ticket.nonce: ticket for ticket in found if ticket.at >= oldest}
        return list(self._held.values())

    async def write(self, ticket: Ticket) -> None:
        """Add it, or replace the one with its nonce."""
        self._held[ticket.nonce] = ticket
        await self._save()

    async def drop(self, ticket: Ticket) -> None:
        """Its batch was never created, or is gone."""
        self._held.pop(ticket.nonce, None)
        await self._save()

    async def _save(self) -> None:
        if self._tickets is None:
            return
        tickets, key, raw = self._tickets, self._key, _encode(self._held.values())
        await self._outside.ask(lambda: tickets.put(key, raw))


def _encode(tickets: Iterable[Ticket]) -> bytes:
    batches = [
        {"nonce": one.nonce, "at": one.at, "id": one.batch_id, "prompts": "".join(one.prompts)} for one in tickets
    ]
    return json.dumps({"version": 1, "batches": batches}).encode()


def _decode(raw: bytes) -> list[Ticket]:
    unreadable = StorageError("the record of batches under way can't be read: restore it, or remove it and pay again")
    try:
        value = loads(raw)
    except InputError:
        raise unreadable from None
    batches = value.get("batches")
    if value.get("version") != 1 or not isinstance(batches, list):
        raise unreadable
    found = [_ticket(one) for one in batches]
    if None in found:
        raise unreadable
    return [one for one in found if one is not None]


def _ticket(value: Json) -> Ticket | None:
    fields: JsonObject = value if isinstance(value, dict) else {}
    nonce, at, batch_id, run = (fields.get(name) for name in ("nonce", "at", "id", "prompts"))
    if not isinstance(nonce, str) or not isinstance(at, int | float) or not isinstance(run, str):
        return None
    if batch_id is not None and not isinstance(batch_id, str):
        return None
    width = 2 * DIGEST_BYTES
    prompts = tuple(run[start : start + width] for start in range(0, len(run), width))
    return Ticket(nonce=nonce, at=float(at), batch_id=batch_id, prompts=prompts)
