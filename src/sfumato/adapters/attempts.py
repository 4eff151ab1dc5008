"""The life of one prompt: asked, asked again where that may help, and ended by a reply or by why there is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from sfumato.adapters import wire
from sfumato.adapters.faults import NONSENSE, Fault
from sfumato.adapters.pacing import unusable
from sfumato.adapters.prices import FREE
from sfumato.errors import ModelUnavailable, Refused, SfumatoError
from sfumato.model.prompt import Reply, Usage

if TYPE_CHECKING:
    from decimal import Decimal

    from sfumato.adapters.endpoint import Endpoint
    from sfumato.adapters.line import Line
    from sfumato.adapters.meter import Meter
    from sfumato.adapters.prices import Tariff
    from sfumato.model.prompt import Failure, Prompt

MOST_FAILED = 5  # answers 5xx, dropped connections, time-outs
MOST_BUSY = 30  # answers 429 and their like, while others get theirs
MOST_MALFORMED = 3
MORE_ROOM = 2  # times max_tokens, once, after a reply that was cut off
AT_THE_CAP_S = 0.05
MESSAGES = "/v1/messages"


class Account:
    """What the calls of one model cost, and the dialect they have learnt to speak.

    proven: it has brought a reply as it is, so that one garbled answer is no reason to change it.
    """

    def __init__(self, endpoint: Endpoint, meter: Meter, tariff: Tariff | None) -> None:
        self.endpoint = endpoint
        self.meter = meter
        self.dialect = wire.first_dialect(endpoint.model)
        self.proven = False
        self._tariff = tariff

    def worst(self, asked: wire.Question, *, batch: bool = False) -> Decimal:
        """US dollars that a question can come to; nothing where no price is known (then there is no cap)."""
        tariff = self._tariff or FREE
        return tariff.at_most(prompt_tokens=asked.prompt_tokens, max_tokens=asked.max_tokens, batch=batch)

    async def reserve(self, worst: Decimal) -> None:
        """Reserve it as soon as the cap has room.

        Raises:
            Refused: it has none, and all calls in flight have arrived.
        """
        while (verdict := self.meter.admit(worst)) != "yes":
            if verdict == "no":
                raise Refused(
                    f"the next call to {self.endpoint.model} could pass the spend cap of ${self.meter.cap}: "
                    "raise the cap and run again, what has arrived is kept"
                )
            await asyncio.sleep(AT_THE_CAP_S)

    async def room_for(self, worst: Decimal) -> None:
        """Wait until there is room for it, without reserving. Raises Refused as `reserve` does."""
        await self.reserve(worst)
        self.meter.settle(worst)

    def used(self, answer: wire.Answer) -> None:
        """Count one answer.

        Raises:
            ModelUnavailable: it says that it ran elsewhere than where it had to.
        """
        regional = answer.region not in {None, "global"}
        self.meter.count(self.endpoint.model, answer.usage, self._tariff, regional=regional)
        if None not in {self.endpoint.region, answer.region} and answer.region != self.endpoint.region:
            raise ModelUnavailable(
                f"{self.endpoint.place} ran {self.endpoint.model} outside the region {self.endpoint.region}: "
                "ask the provider before anything else is sent there"
            )


class Life:
    """One prompt and all that has happened to it."""

    def __init__(self, prompt: Prompt, account: Account) -> None:
        self._prompt = prompt
        self._account = account
        self._trial: wire.Dialect | None = None
        self._refused = False
        self._factor = 1
        self._failed = self._busy = self._malformed = self._unreached = 0
        self._usage = Usage()
        self.last: Failure = "unavailable"

    def question(self) -> wire.Question:
        """What to send next."""
        dialect = self._trial or self._account.dialect
        return wire.question(self._prompt, self._account.endpoint, dialect=dialect, factor=self._factor)

    def answered(self, answer: wire.Answer) -> Reply | None:
        """The reply in an answer, or None to ask again."""
        self._add(answer.usage)
        if answer.stop == "refusal":
            return self.over("refused")
        if answer.stop in {"max_tokens", "model_context_window_exceeded"}:
            if answer.stop != "max_tokens" or self._factor > 1:
                return self.over("truncated")
            self._factor, self.last = MORE_ROOM, "truncated"
            return None
        fields = wire.only_object(answer.text)
        if fields is not None:
            self._learn()
            return Reply(fields=fields, usage=self._usage)
        self._malformed += 1
        if self._malformed >= MOST_MALFORMED:
            return self.over("malformed")
        self._trial, self.last = replace(self._trial or self._account.dialect, told=True), "malformed"
        return None

    def rejected(self, fault: Fault) -> Reply | None:
        """The reply to a refusal of the request, or None to ask again without the fields it named."""
        spoken = self._trial or self._account.dialect
        plainer = spoken.without(fault.names)
        if plainer == spoken:
            return self.over("rejected")
        self._trial, self._refused = plainer, True
        return None

    def wait(self, fault: Fault, line: Line) -> float | None:
        """Seconds before the next attempt; None when there have been enough."""
        self.last = "unavailable"
        if fault.kind == "unreached":
            self._unreached += 1
            return line.tempo.knock(self._unreached)
        if fault.kind == "busy":
            self._busy += 1
            return line.tempo.wait(self._busy) if self._busy < MOST_BUSY else None
        self._failed += 1
        return line.tempo.wait(self._failed) if self._failed < MOST_FAILED else None

    def over(self, failure: Failure) -> Reply:
        """The reply that says why there is none."""
        return Reply(fields=None, failure=failure, usage=self._usage)

    def _learn(self) -> None:
        """What worked here is where the others begin."""
        if self._trial is None:
            self._account.proven = True
        elif self._refused or not self._account.proven:
            self._account.dialect = self._trial

    def _add(self, usage: Usage) -> None:
        had = self._usage
        self._usage = Usage(
            input=had.input + usage.input,
            output=had.output + usage.output,
            cache_read=had.cache_read + usage.cache_read,
            cache_write=had.cache_write + usage.cache_write,
            batch=usage.batch,
        )


async def complete(prompt: Prompt, account: Account, line: Line) -> Reply:
    """The reply to one prompt.

    Raises:
        ModelUnavailable: the endpoint can't be used, or is gone.
        Refused: the spend cap.
    """
    life = Life(prompt, account)
    while True:
        found = await _ask(life.question(), account, line)
        if isinstance(found, wire.Answer):
            line.health.well()
            reply = life.answered(found)
        elif found.kind == "unusable":
            raise unusable(found, account.endpoint)
        elif found.kind == "rejected":
            reply = life.rejected(found)
            if reply is not None:
                line.health.exhausted(f"rejected with {found.status}")
        else:
            reply = None
            seconds = life.wait(found, line)
            if seconds is None:
                line.health.exhausted(f"status {found.status}" if found.status else found.why)
                reply = life.over("unavailable")
            else:
                await asyncio.sleep(seconds)
        if reply is not None:
            return reply


async def _ask(asked: wire.Question, account: Account, line: Line) -> wire.Answer | Fault:
    """One attempt within the cap. A call that ends without an answer may be on the bill, and is counted so."""
    worst = account.worst(asked)
    reserved = False

    async def admit() -> None:
        nonlocal reserved
        await account.reserve(worst)
        reserved = True

    lost = True
    try:
        found = await line.call("POST", MESSAGES, body=asked.body, admit=admit)
        answer = wire.answer(found) if isinstance(found, bytes) else None
        if answer is not None:
            account.used(answer)
        missed = found if isinstance(found, Fault) else NONSENSE
        lost = answer is None and missed.maybe_billed
    except SfumatoError:
        lost = False
        raise
    finally:
        if reserved:
            (account.meter.lose if lost else account.meter.settle)(worst)
    return answer or missed
