"""The routes: the Messages and Message Batches endpoints, and the stand-in's own numbers."""

from __future__ import annotations

import asyncio
import json
import secrets
from itertools import islice
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sfumato.errors import InputError, StorageError
from sfumato.standin import messages
from sfumato.standin.batches import PAGE
from sfumato.standin.desk import Desk
from sfumato.standin.distort import cut
from sfumato.standin.faults import Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from sfumato.model.strict_json import Json
    from sfumato.standin.batches import Batch
    from sfumato.standin.faults import Deed

LARGEST_MESSAGE = 32 * 2**20
LARGEST_BATCH = 256 * 2**20
BATCH_SECONDS = 1.0
LINES_AT_A_STRETCH = 100


def build_app(
    rules: Rules | None = None, *, latency: float = 0.0, batch_seconds: float = BATCH_SECONDS, desk: Desk | None = None
) -> Starlette:
    """The application. It listens to nobody by itself: see `server`.

    rules: what goes wrong; nothing where left out. latency: seconds before every answer of a message. batch_seconds:
    from a batch's creation to its end. desk: the state, where it is to be kept or looked into; rules and batch_seconds
    are then the desk's.
    """
    endpoints = _Endpoints(desk or Desk(rules=rules or Rules(), batch_seconds=batch_seconds), latency)
    batches = "/v1/messages/batches"
    one = f"{batches}/{{batch}}"
    return Starlette(
        routes=[
            Route("/v1/messages", endpoints.message, methods=["POST"], max_body_size=LARGEST_MESSAGE),
            Route(batches, endpoints.create, methods=["POST"], max_body_size=LARGEST_BATCH),
            Route(batches, endpoints.listed, methods=["GET"]),
            Route(one, endpoints.retrieve, methods=["GET"]),
            Route(one, endpoints.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", endpoints.cancel, methods=["POST"]),
            Route(f"{one}/results", endpoints.results, methods=["GET"]),
            Route("/_standin/stats", endpoints.stats, methods=["GET"]),
            Route("/_standin/reset", endpoints.reset, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused, InputError: _rejected, StorageError: _broken},
    )


class _Endpoints:
    """One method for each route."""

    def __init__(self, desk: Desk, latency: float) -> None:
        self._desk = desk
        self._latency = latency

    async def message(self, request: Request) -> Response:
        with self._desk.serving():
            request_id = _request_id()
            body = await _json(request)
            settled = self._desk.decide(body, request_id=request_id)
            wait = self._latency + settled.deed.seconds
            if wait:
                await asyncio.sleep(wait)
                if await request.is_disconnected():
                    self._desk.record({"event": "call", "kind": "gone", "digest": settled.event.get("digest")})
                    return _Dropped()
            self._desk.record(settled.event)
            return _sent(settled.deed, settled.body, request_id)

    async def create(self, request: Request) -> Response:
        """A batch that is dropped on the way back exists all the same: the hazard that a client has to survive."""
        deed = self._desk.request_fault("create")
        if deed.kind == "error":
            return _erred(deed)
        batch = await self._desk.make_batch(await _json(request))
        return await _failed(deed) or _answer(self._shown(batch, request))

    async def retrieve(self, request: Request) -> Response:
        deed = self._desk.request_fault("retrieve")
        return await _failed(deed) or _answer(self._shown(self._batch(request), request))

    async def listed(self, request: Request) -> Response:
        deed = self._desk.request_fault("list")
        query = request.query_params
        limit = query.get("limit", str(PAGE))
        found, more = self._desk.shelf.page(
            after=query.get("after_id"), before=query.get("before_id"), limit=int(limit) if limit.isdecimal() else 0
        )
        self._desk.settle()
        data: list[Json] = [self._shown(batch, request) for batch in found]
        ends = {"first_id": found[0].id if found else None, "last_id": found[-1].id if found else None}
        return await _failed(deed) or _answer({"data": data, "has_more": more, **ends})

    async def cancel(self, request: Request) -> Response:
        deed = self._desk.request_fault("cancel")
        if deed.kind == "error":
            return _erred(deed)
        batch = self._batch(request)
        if batch.ended(self._desk.clock()):
            raise InputError("the batch has ended and can no longer be canceled")
        self._desk.record({"event": "cancel", "id": batch.id, "at": self._desk.clock()})
        return await _failed(deed) or _answer(self._shown(batch, request))

    async def delete(self, request: Request) -> Response:
        batch = self._batch(request)
        if not batch.ended(self._desk.clock()):
            raise InputError("a batch can be deleted once it has ended; cancel it first")
        self._desk.record({"event": "delete", "id": batch.id})
        return _answer({"id": batch.id, "type": "message_batch_deleted"})

    async def results(self, request: Request) -> Response:
        """The lines of results; dropped, the first half of them."""
        deed = self._desk.request_fault("results")
        batch = self._batch(request)
        if not batch.ended(self._desk.clock()):
            raise HTTPException(404)
        if deed.kind == "drop":
            return _Dropped(cut("".join(_lines(batch))).encode())
        return await _failed(deed) or StreamingResponse(
            _stretches(batch), media_type="application/x-jsonl", headers={"request-id": _request_id()}
        )

    async def stats(self, _request: Request) -> Response:
        self._desk.settle()
        now = self._desk.clock()
        batches: dict[str, Json] = {
            batch.id: {"requests": len(batch.entries), "status": batch.status(now), **batch.counts(now)}
            for batch in self._desk.shelf.held.values()
        }
        return _answer({**self._desk.counters.shown(), "batches": batches})

    async def reset(self, _request: Request) -> Response:
        self._desk.reset()
        return Response(status_code=204)

    def _batch(self, request: Request) -> Batch:
        self._desk.settle()
        batch = self._desk.shelf.held.get(request.path_params["batch"])
        if batch is None:
            raise HTTPException(404)
        return batch

    def _shown(self, batch: Batch, request: Request) -> Json:
        return batch.shown(self._desk.clock(), str(request.base_url).rstrip("/"))


class _Dropped(Response):
    """An answer that begins and is cut off: the server closes a connection whose answer is not whole."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = str(len(self.body) + 1).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.body:
            await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})


def _sent(deed: Deed, body: Json, request_id: str) -> Response:
    if deed.kind in {"drop", "stall"}:
        return _Dropped()
    status = deed.status if deed.kind == "error" else 200
    return _answer(body, status=status, request_id=request_id, retry_after=deed.retry_after)


async def _failed(deed: Deed) -> Response | None:
    """The failure that a rule asks for, if it asks for one; a slow answer is only waited for."""
    if deed.seconds:
        await asyncio.sleep(deed.seconds)
    if deed.kind in {"answer", "slow"}:
        return None
    return _erred(deed) if deed.kind == "error" else _Dropped()


def _erred(deed: Deed) -> Response:
    request_id = _request_id()
    return _sent(deed, messages.error(deed.status, request_id), request_id)


def _answer(
    body: Json, *, status: int = 200, request_id: str | None = None, retry_after: float | None = None
) -> Response:
    headers = {"request-id": request_id or _request_id()}
    if retry_after is not None:
        headers["retry-after"] = f"{retry_after:g}"
    return Response(
        json.dumps(body, ensure_ascii=True), status_code=status, headers=headers, media_type="application/json"
    )


def _lines(batch: Batch) -> Iterator[str]:
    for name, result in batch.results():
        yield json.dumps({"custom_id": name, "result": result}) + "\n"


async def _stretches(batch: Batch) -> AsyncIterator[str]:
    lines = _lines(batch)
    while stretch := "".join(islice(lines, LINES_AT_A_STRETCH)):
        yield stretch


async def _json(request: Request) -> Json:
    try:
        found: Json = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON") from None
    return found


def _request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


def _error(status: int, said: str | None = None) -> Response:
    request_id = _request_id()
    return _answer(messages.error(status, request_id, said), status=status, request_id=request_id)


async def _refused(_request: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    return _error(status if status in messages.ERRORS else 404)


async def _rejected(_request: Request, problem: Exception) -> Response:
    return _error(400, str(problem))


async def _broken(_request: Request, problem: Exception) -> Response:
    return _error(500, str(problem))
