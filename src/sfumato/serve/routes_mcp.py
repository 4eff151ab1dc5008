"""POST /mcp: the Model Context Protocol for agents over HTTP; each tool is a request to this API with their own key.

No session is kept: what one call may do, its key says, and the routes that it comes to decide and record as for
everybody else. The protocol's library is loaded as the first agent comes, for it takes a second.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response, Security
from starlette.datastructures import Headers

from sfumato.errors import SfumatoError
from sfumato.serve.body import BODY_BYTES
from sfumato.serve.requires import Requires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sfumato.client.client import AsyncClient
    from sfumato.serve.ports import Gatekeeper

PATH = "/mcp"
HERE = "http://127.0.0.1"  # of requests that never leave this process
SENTENCES = {
    -32700: "this is no JSON",
    -32600: "this is no request of the protocol",
    -32601: "there is no such method",
    -32602: "the parameters do not fit the method",
}
_OURS = "the server can't do this"
_caller: ContextVar[AsyncClient] = ContextVar("sfumato_agent")


class Agents:
    """The protocol's server over an application that is there only later; `over` says which."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def over(self, app: ASGIApp) -> None:
        """Tools ask this application, from its outermost layer in: each call is limited, recorded and counted."""
        self._app = app

    @cached_property
    def _server(self) -> Any:  # noqa: ANN401 - the library is not loaded yet
        from sfumato.mcp_server import build

        return build(_caller.get)

    def _manager(self) -> StreamableHTTPSessionManager:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        return StreamableHTTPSessionManager(
            self._server._lowlevel_server,  # noqa: SLF001 - its own application insists on addresses and sessions
            json_response=True,
            stateless=True,
            max_request_body_size=BODY_BYTES,
        )

    @asynccontextmanager
    async def _client(self, scope: Scope) -> AsyncIterator[AsyncClient]:
        import httpx2

        from sfumato.client.client import AsyncClient

        if self._app is None:
            raise SfumatoError("nothing is served at /mcp yet")
        token = Headers(scope=scope).get("authorization", "").partition(" ")[2]
        inside = httpx2.ASGITransport(self._app, client=tuple(scope.get("client") or ("127.0.0.1", 0)))
        async with AsyncClient(HERE, key=token, transport=inside, attempts=1) as client:
            yield client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One message of the protocol and its answer."""
        async with self._client(scope) as client:
            reset = _caller.set(client)
            try:
                manager = self._manager()
                async with manager.run():
                    await manager.handle_request(scope, receive, _discreet(send))
            finally:
                _caller.reset(reset)


class _Spoken(Response):
    """An answer that the protocol's library writes."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        super().__init__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._agents(scope, receive, send)


def router(access: Gatekeeper, agents: Agents) -> APIRouter:
    """The route; who may not read releases has no tool to use. A page of another origin is refused."""
    found = APIRouter(dependencies=[Security(Requires(access, "releases"))], include_in_schema=False)

    @found.post(PATH)
    async def mcp(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
            raise HTTPException(403)
        return _Spoken(agents)

    return found


def _discreet(send: Send) -> Send:
    """Errors of the protocol as they are, in sentences of ours: the library's repeat what was sent."""
    start: list[Message] = []
    held = bytearray()

    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        held.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        body = _cleared(bytes(held))
        headers = [pair for pair in start[0]["headers"] if pair[0].lower() != b"content-length"]
        length = [(b"content-length", b"%d" % len(body))] if body else []
        await send({**start[0], "headers": [*headers, *length]})
        await send({"type": "http.response.body", "body": body})

    return watched


def _cleared(body: bytes) -> bytes:
    """The answer; of an error its code, a sentence, and the versions of the protocol to try instead."""
    try:
        said: Any = json.loads(body) if body else None
    except ValueError:  # a line of the library's that is not of the protocol
        said = {"error": {"code": -32600}}
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return body
    told: dict[str, object] = {"code": error.get("code"), "message": SENTENCES.get(error.get("code", 0), _OURS)}
    if isinstance(error.get("data"), dict) and "supported" in error["data"]:
        told["data"] = {"supported": error["data"]["supported"]}
    return json.dumps({"jsonrpc": "2.0", "id": said.get("id"), "error": told}).encode()
