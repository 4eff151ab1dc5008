"""Reads that were answered before, answered again without the framework: same key, same decision, same bytes.

It answers only what the routes have answered already, and only where the decision and the release are at hand; all
else goes on to the routes. `HEAD` is answered as `GET` without its body, here for every address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from sfumato.model.document import RELEASE_ID
from sfumato.serve import answers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sfumato.policy.schema import Operation
    from sfumato.serve.access import Decision
    from sfumato.serve.ports import Gatekeeper, Releases
    from sfumato.serve.shelf import Page, Shelf
    from sfumato.serve.store import Stored

_READ = re.compile(rf"/v1/releases/({RELEASE_ID})((?:/[a-z]+(?:/[A-Za-z0-9_.-]{{1,64}})?)?)")
_BEARER = b"bearer "


@runtime_checkable
class _Remembering(Protocol):
    def at_hand(self, token: str | None, operation: Operation) -> Decision | None: ...


@runtime_checkable
class _Holding(Protocol):
    def at_hand(self, release_id: str) -> Stored | None: ...


class Fast:
    """ASGI middleware, the innermost: what stands around it sees these answers as it sees all others."""

    def __init__(self, app: ASGIApp, *, access: Gatekeeper, store: Releases, shelf: Shelf) -> None:
        self._app = app
        self._access = cast("_Remembering", access) if isinstance(access, _Remembering) else None
        self._store = cast("_Holding", store) if isinstance(store, _Holding) else None
        self._shelf = shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # one for both scopes: what the routes leave there is seen outside
        came = scope
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        if scope["method"] == "GET" and not scope["query_string"]:
            found = self._page(scope)
            if found is not None:
                await _send(*found, send)
                return
        try:
            await self._app(scope, receive, send)
        finally:
            if "route" in scope:
                came["route"] = scope["route"]  # logs and metrics look there

    def _page(self, scope: Scope) -> tuple[Page, str, str | None] | None:
        """The page, how it may be cached, and what the caller holds; where everything about it is at hand."""
        asked = _READ.fullmatch(scope["path"])
        holds = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"), None)
        if asked is None or self._access is None or self._store is None or len(holds or "") > answers.TAGS_READ:
            return None
        release, view = asked.groups()
        page = self._shelf.held(release, view)
        if page is None or self._store.at_hand(release) is None:
            return None
        decision = self._access.at_hand(_token(scope), "releases")
        if decision is None:
            return None
        scope["state"]["decision"] = decision
        return page, answers.ASK_AGAIN if view else answers.FOREVER, holds


def _token(scope: Scope) -> str | None:
    """The bearer's token, where there is exactly one."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1 or given[0][: len(_BEARER)].lower() != _BEARER:
        return None
    return cast("bytes", given[0])[len(_BEARER) :].decode("latin-1")


async def _send(page: Page, caching: str, holds: str | None, send: Send) -> None:
    unchanged = answers.known(holds, page.etag)
    headers = _headers(page, caching=caching, unchanged=unchanged)
    await send({"type": "http.response.start", "status": 304 if unchanged else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if unchanged else page.body})


def _headers(page: Page, *, caching: str, unchanged: bool) -> list[tuple[bytes, bytes]]:
    named = _named(page.etag, caching)
    if unchanged:
        return [*named]
    return [*named, (b"content-length", b"%d" % len(page.body)), (b"content-type", b"application/json")]


@lru_cache(maxsize=1000)
def _named(etag: str, caching: str) -> tuple[tuple[bytes, bytes], ...]:
    found = answers.headers(etag, caching=caching)
    return tuple((name.lower().encode(), value.encode()) for name, value in found.items())


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
