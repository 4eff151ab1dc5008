"""Carry steps out over HTTP: one driver that blocks, one that is awaited, and methods that are written for both."""

from __future__ import annotations

import functools
import time
from types import MethodType
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from sfumato.client.exchange import Dropped, Pause, Reply, Request
from sfumato.errors import InputError, SfumatoError

try:
    import anyio
    import httpx2
except ImportError:
    raise SfumatoError("the client needs httpx2: pip install 'sfumato[client]'") from None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from sfumato.client.exchange import Event, Steps
    from sfumato.client.line import Line
    from sfumato.client.parse import Page

Asks = ParamSpec("Asks")
Holder = TypeVar("Holder")
Result = TypeVar("Result")


class Blocking:
    """Waits for each answer. Use as a context manager, or `close` it."""

    def __init__(self, line: Line, transport: httpx2.BaseTransport | None) -> None:
        self.line = line
        self._http = httpx2.Client(
            base_url=line.url, timeout=line.timeout, transport=transport, trust_env=line.through_proxies
        )

    def run(self, steps: Steps[Result]) -> Result:
        """The result of the steps."""
        event: Event = None
        try:
            while True:
                event = self._do(steps.send(event))
        except StopIteration as done:
            return cast("Result", done.value)

    def pages(self, turn: Callable[[str | None], Steps[Page[Result]]]) -> Iterator[Result]:
        """All items, page after page, each page asked for when it is needed."""
        page = self.run(turn(None))
        yield from page.items
        while page.next is not None:
            page = _onward(page, self.run(turn(page.next)))
            yield from page.items

    def _do(self, step: Request | Pause) -> Event:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            said = self._http.request(step.method, step.address, json=step.body, headers=self.line.headers(step))
        except httpx2.RequestError as problem:
            return _dropped(problem)
        return _reply(said)

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Awaiting:
    """Awaits each answer. Use as an asynchronous context manager, or await `close`."""

    def __init__(self, line: Line, transport: httpx2.AsyncBaseTransport | None) -> None:
        self.line = line
        self._http = httpx2.AsyncClient(
            base_url=line.url, timeout=line.timeout, transport=transport, trust_env=line.through_proxies
        )

    async def run(self, steps: Steps[Result]) -> Result:
        """The result of the steps."""
        event: Event = None
        try:
            while True:
                event = await self._do(steps.send(event))
        except StopIteration as done:
            return cast("Result", done.value)

    async def pages(self, turn: Callable[[str | None], Steps[Page[Result]]]) -> AsyncIterator[Result]:
        """All items, page after page, each page asked for when it is needed."""
        page = await self.run(turn(None))
        for item in page.items:
            yield item
        while page.next is not None:
            page = _onward(page, await self.run(turn(page.next)))
            for item in page.items:
                yield item

    async def _do(self, step: Request | Pause) -> Event:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        try:
            said = await self._http.request(step.method, step.address, json=step.body, headers=self.line.headers(step))
        except httpx2.RequestError as problem:
            return _dropped(problem)
        return _reply(said)

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class call(Generic[Holder, Asks, Result]):  # noqa: N801 - a decorator
    """A method written as steps: a client that blocks returns its result, one that is awaited an awaitable of it."""

    def __init__(self, make: Callable[Concatenate[Holder, Asks], Steps[Result]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[Asks, Result]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[Asks, Awaitable[Result]]: ...

    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> object:
        if client is None:
            return self
        make, driver, holder = self._make, client, cast("Holder", client)

        @functools.wraps(MethodType(make, client))
        def called(*asked: Asks.args, **named: Asks.kwargs) -> Result | Awaitable[Result]:
            return driver.run(make(holder, *asked, **named))

        return called


class paged(Generic[Holder, Asks, Result]):  # noqa: N801 - a decorator
    """A method that says how a page is asked for by its cursor: an iterator over all items, or an asynchronous one."""

    def __init__(self, make: Callable[Concatenate[Holder, Asks], Callable[[str | None], Steps[Page[Result]]]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[Asks, Iterator[Result]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[Asks, AsyncIterator[Result]]: ...

    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> object:
        if client is None:
            return self
        make, driver, holder = self._make, client, cast("Holder", client)

        @functools.wraps(MethodType(make, client))
        def called(*asked: Asks.args, **named: Asks.kwargs) -> Iterator[Result] | AsyncIterator[Result]:
            return driver.pages(make(holder, *asked, **named))

        return called


def _onward(before: Page[Result], after: Page[Result]) -> Page[Result]:
    if after.next is not None and after.next == before.next:
        raise InputError("the server's list does not go on: a page names itself as the next")
    return after


def _dropped(problem: httpx2.RequestError) -> Dropped:
    unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
    return Dropped(sent=not isinstance(problem, unsent), why=type(problem).__name__)


def _reply(said: httpx2.Response) -> Reply:
    return Reply(
        status=said.status_code, body=said.content, headers={name.lower(): one for name, one in said.headers.items()}
    )
