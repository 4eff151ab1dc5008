"""One HTTP call: in its turn, within its time, and whatever happens comes back as bytes or as a fault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sfumato.adapters.faults import NONSENSE, TIMED_OUT, Fault, fault, of_status
from sfumato.errors import ModelUnavailable, SfumatoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from aiohttp import ClientResponse, ClientSession

    from sfumato.adapters.endpoint import Endpoint
    from sfumato.adapters.pacing import Health, Pace, Tempo

    _Asked = AbstractAsyncContextManager[ClientResponse]

UPLOAD_BYTES_PER_S = 500_000
MOST_TRIES = 10
MOST_BYTES = 32 << 20  # of an answer, and of a line of results


class Line:
    """A line to one endpoint, open while one `complete` lasts.

    It posts our own bytes and reads raw responses.
    """

    def __init__(self, client: ClientSession, endpoint: Endpoint, *, pace: Pace, health: Health, tempo: Tempo) -> None:
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
        allowed = self.endpoint.timeout_s + len(body or b"") / UPLOAD_BYTES_PER_S
        try:
            async with asyncio.timeout(allowed), self._request(method, path, body) as response:
                found = await _body(response)
                if not _good(response):
                    return of_status(response.status, response.headers, found or b"")
                return NONSENSE if found is None else found
        except TimeoutError:
            return TIMED_OUT
        except Exception as error:  # noqa: BLE001 - all that can come holds the request, so none of it may pass
            return fault(error)

    def _request(
        self, method: str, path: str, body: bytes | None = None
    ) -> AbstractAsyncContextManager[ClientResponse]:
        typed = {"content-type": "application/json"} if body is not None else None
        return self._client.request(
            method, self.endpoint.base_url.rstrip("/") + path, data=body, headers=typed, allow_redirects=False
        )

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
        try:
            async with self._request("GET", path) as response:
                if not _good(response):
                    return of_status(response.status, response.headers, await _body(response) or b"")
                while raw := await response.content.readline(max_line_length=MOST_BYTES):
                    take(raw)
        except SfumatoError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return fault(error)
        return None


def _good(response: ClientResponse) -> bool:
    """Whether it is 2xx; a redirect is not followed."""
    return 200 <= response.status < 300  # noqa: PLR2004 - HTTP's own


async def _body(response: ClientResponse) -> bytes | None:
    """The whole of an answer; None where it is longer than any could be."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)
