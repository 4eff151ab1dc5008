"""Clients of an application in this process: without a network, or over a real socket."""

from __future__ import annotations

import asyncio
import atexit
import socket
import threading
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import httpx2
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient

from releases import KEY
from sfumato import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

HERE = "http://127.0.0.1"
PIN = KEY.public_key().public_bytes_raw().hex()
OWN = "sfk_0123456789abcdefghijklmnopqrstuv"  # opens nothing


@cache
def loop() -> BlockingPortal:
    """The event loop in which all requests of this process are answered, as a server has one."""
    opened = ExitStack()
    atexit.register(opened.close)
    return opened.enter_context(start_blocking_portal())


def inside(app: object, **options: object) -> TestClient:
    """A client of an application's bare answers, a failure of ours among them."""
    client = TestClient(app, raise_server_exceptions=False, **options)
    client.portal = loop()
    return client


class Inside(httpx2.BaseTransport):
    """Each request straight into an ASGI application."""

    def __init__(self, app: object) -> None:
        self._app = app

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()

        async def answered() -> httpx2.Response:
            async with httpx2.ASGITransport(self._app) as inside:
                said = await inside.handle_async_request(request)
                body = await said.aread()
                return httpx2.Response(said.status_code, headers=said.headers.raw, content=body)

        return loop().call(answered)


def blocking(app: object, key: str, **options: object) -> Client:
    """A client that blocks."""
    return Client(HERE, key=key, transport=Inside(app), **options)


def awaiting(app: object, key: str, **options: object) -> AsyncClient:
    """A client that is awaited."""
    return AsyncClient(HERE, key=key, transport=httpx2.ASGITransport(app), **options)


class Both:
    """Either client behind one face, so that one test speaks of both."""

    def __init__(self, kind: str, app: object, key: str, **options: object) -> None:
        self._kind, self._app, self._key, self._options = kind, app, key, options
        self._client = blocking(app, key, **options)

    def do(self, name: str, *asked: object, **named: object) -> object:
        """One method's result; of an iterator, a list."""
        if self._kind == "blocking":
            found = getattr(self._client, name)(*asked, **named)
            return list(found) if name == "releases" else found

        async def awaited() -> object:
            async with awaiting(self._app, self._key, **self._options) as client:
                if name == "releases":
                    return [one async for one in client.releases(*asked, **named)]
                return await getattr(client, name)(*asked, **named)

        return asyncio.run(awaited())


def scripted(*said: httpx2.Response | Exception, key: str = OWN, **options: object) -> tuple[Client, list[object]]:
    """A client whose server says these things in turn, and the requests that it got."""
    heard: list[httpx2.Request] = []
    left = list(said)

    def answer(request: httpx2.Request) -> httpx2.Response:
        heard.append(request)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return Client(HERE, key=key, transport=httpx2.MockTransport(answer), **options), heard


@contextmanager
def listening(app: object) -> Iterator[str]:
    """The application at a real socket; gives its address."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
