"""The two clients: `Client` blocks, `AsyncClient` is awaited; both ask the same and hear the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sfumato.client.calls import Calls
from sfumato.client.drivers import Awaiting, Blocking
from sfumato.client.exchange import ATTEMPTS
from sfumato.client.kept import Kept
from sfumato.client.line import Line
from sfumato.model.signature import read_public_key

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 90.0  # seconds; a live question may take sixty


class Client(Calls, Blocking):
    """A sfumato server, for programs that wait. Threads may share it.

    url: `https://...`, or `http://` on this machine. key: an API key; left out, SFUMATO_API_KEY. timeout: seconds
    without a word from the server. attempts: how often a request is tried, where trying again costs nothing.
    release_key: the public key that releases must be signed with (64 hexadecimal digits or PEM); without one a
    signature proves that a release is whole, not who made it. transport: how connections are made otherwise, such as
    `httpx2.HTTPTransport(verify=...)` for a certificate authority of your own.

    Raises:
        InputError: the address or the release key can't be used. KeyMissing: there is no API key.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        release_key: str | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        Blocking.__init__(self, Line(url, key=key, timeout=timeout), transport)
        self._release_key = None if release_key is None else read_public_key(release_key)
        self._kept, self._draw, self._attempts = Kept(), random.random, attempts

    def __repr__(self) -> str:
        return f"<sfumato.Client of {self.line.url}>"


class AsyncClient(Calls, Awaiting):
    """The same for programs that must not wait: each method is awaited, `releases` is iterated with `async for`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        release_key: str | None = None,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        Awaiting.__init__(self, Line(url, key=key, timeout=timeout), transport)
        self._release_key = None if release_key is None else read_public_key(release_key)
        self._kept, self._draw, self._attempts = Kept(), random.random, attempts

    def __repr__(self) -> str:
        return f"<sfumato.AsyncClient of {self.line.url}>"
