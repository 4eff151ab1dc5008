"""One HTTP call: in its turn, within its time, and whatever happens comes back as bytes or as a fault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from sfumato.adapters.faults import TIMED_OUT, Fault, fault
from sfumato.errors import ModelUnavailable, SfumatoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anthropic import AsyncAnthropic

    from sfumato.adapters.endpoint import Endpoint
    from sfumato.adapters.pacing import Health, Pace, Tempo

UPLOAD_BYTES_PER_S = 500_000
MOST_TRIES = 10


class Line:
    """A line to one endpoint, open while one `complete` lasts.

    It posts our own bytes and reads raw responses: what is said never becomes an object of the SDK, nor a span's.
    """

    def __init__(self, client: AsyncAnthropic, endpoint: Endpoint, *, pace: Pace, health: Health, tempo: Tempo) -> None:
        self.endpoint = endpoint
        self.health = health
        self.tempo = tempo
        self._client = client
        self._pace = pace

    async def call(
        self, method: str, path: str, *, body: bytes | None = None, admit: Callable[[], Awaitable[None]] | None = None
    ) -> bytes | Fault:
        """One attempt, in its turn; `admit` is awaited just before it is sent.

        Raises:
            ModelUnavailable: nobody has answered, or everybody was too busy, for too long.
        """
        began = await self._pace.enter()
        try:
            if admit is not None:
                await admit()
            found = await self._attempt(method, path, body)
        finally:
            self._pace.leave()
        if isinstance(found, bytes):
            self._pace.went_well()
            return found
        if found.kind == "busy" or found.hold_s:
            self._pace.too_much(began, found.hold_s)
        self.health.unwell(found)
        return found

    async def _attempt(self, method: str, path: str, body: bytes | None) -> bytes | Fault:
        import httpx2

        allowed = self.endpoint.timeout_s + len(body or b"") / UPLOAD_BYTES_PER_S
        try:
            async with asyncio.timeout(allowed):
                if method == "POST":
                    response = await self._client.post(path, content=body, cast_to=httpx2.Response)
                else:
                    response = await self._client.get(path, cast_to=httpx2.Response)
                return response.content
        except TimeoutError:
            return TIMED_OUT
        except Exception as error:  # noqa: BLE001 - all that can come holds the request, so none of it may pass
            return fault(error)

    async def insist(self, method: str, path: str) -> bytes | Fault:
        """Attempts until there is an answer, or a refusal; for calls that cost nothing to repeat.

        Raises:
            ModelUnavailable: the endpoint is gone, or failed ten times.
        """
        failed = waits = 0
        while failed < MOST_TRIES:
            found = await self.call(method, path)
            if isinstance(found, bytes):
                self.health.well()
                return found
            if found.kind in {"rejected", "unusable"}:
                return found
            waits += 1
            failed += found.kind == "failed"
            await asyncio.sleep(self.tempo.knock(waits) if found.kind == "unreached" else self.tempo.wait(waits))
        raise ModelUnavailable(f"{self.endpoint.place} failed {MOST_TRIES} times at the same call: try later")

    async def each_line(self, path: str, take: Callable[[bytes], None]) -> Fault | None:
        """Hand over the lines of a long response as they come; a fault where it was not to be had, or was cut off.

        Raises:
            SfumatoError: `take` did.
        """
        import anthropic
        import httpx2

        try:
            stream = anthropic.AsyncStream[object]  # asked for by the signature; what comes is the raw response
            found = await self._client.get(path, cast_to=httpx2.Response, stream=True, stream_cls=stream)
            response = cast("httpx2.Response", found)
            try:
                async for text in response.aiter_lines():
                    take(text.encode())
            finally:
                await response.aclose()
        except SfumatoError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return fault(error)
        return None
