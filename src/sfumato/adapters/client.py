"""The one place where the SDK's client is built: every setting said aloud, so that the environment can say nothing."""

from __future__ import annotations

import logging
import math
import os
from typing import TYPE_CHECKING

from sfumato.errors import Refused

if TYPE_CHECKING:
    import ssl

    import httpx2
    from anthropic import AsyncAnthropic

    from sfumato.adapters.endpoint import Endpoint

QUIET = ("anthropic", "httpx2", "httpcore2")
CONNECT_S = 10.0
IN_A_POOL = 8
API_VERSION = "2026-10-21"  # the format that wire.py reads and writes
_HARMLESS = {"", "off", "error", "warn", "warning", "info"}
_KEPT_HEADERS = ("content-length", "content-type", "transfer-encoding")


def check_environment() -> None:
    """Refuse to begin where the environment asks the SDK to print what is sent.

    Raises:
        Refused: `ANTHROPIC_LOG` is set to `debug`, which prints request bodies, or to a value we don't know.
    """
    if os.environ.get("ANTHROPIC_LOG", "").strip().lower() not in _HARMLESS:
        raise Refused("ANTHROPIC_LOG asks for more than `info`, which prints conversations: unset it and start again")


def check_key(api_key: str | None) -> None:
    """Refuse a key that can't be a header.

    Raises:
        Refused: it is empty, or has characters that no key has (a line break at its end, often).
    """
    if api_key is not None and not (api_key and api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise Refused("the model's API key is empty or holds a space or a line break: set it again")


def hush() -> None:
    """No record below WARNING from the SDK and the HTTP client: theirs hold bodies and addresses."""
    import anthropic  # noqa: F401 - its loggers exist, and the environment has set them, once it is imported
    import httpcore2  # noqa: F401 - as above
    import httpx2  # noqa: F401 - as above

    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] in QUIET and _only_warnings not in logger.filters:
            logger.addFilter(_only_warnings)


def _only_warnings(record: logging.LogRecord) -> bool:
    """Holds even where somebody sets the level of one of their loggers later."""
    return record.levelno >= logging.WARNING


def trusted() -> ssl.SSLContext:
    """The certificates of the HTTP client's own bundle; made once, it takes some 20 ms."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


def open_client(endpoint: Endpoint, api_key: str | None, trust: ssl.SSLContext) -> AsyncAnthropic:
    """A client for the running event loop: no proxy, no redirect, no retry, no header but ours."""
    import anthropic
    import httpx2

    timeout = httpx2.Timeout(endpoint.timeout_s, connect=min(CONNECT_S, endpoint.timeout_s / 2))
    http = httpx2.AsyncClient(
        transport=_only_our_headers(api_key, trust, connections=endpoint.concurrency + 2),
        trust_env=False,
        follow_redirects=False,
        timeout=timeout,
    )
    return anthropic.AsyncAnthropic(
        api_key=api_key or "none",
        base_url=endpoint.base_url,
        timeout=timeout,
        max_retries=0,
        http_client=http,
        open_telemetry={"traces": {"content_mode": "metadata_only"}, "propagation": False},
    )


def _only_our_headers(api_key: str | None, trust: ssl.SSLContext, *, connections: int) -> httpx2.AsyncBaseTransport:
    """A transport that writes the headers anew: what ANTHROPIC_CUSTOM_HEADERS added or changed stops here.

    A pool looks at all of its connections for every request, twice, so many are spread over small pools; a request goes
    to the one that has the fewest under way.
    """
    import httpx2

    class OnlyOurs(httpx2.AsyncBaseTransport):
        def __init__(self) -> None:
            each = httpx2.Limits(max_connections=IN_A_POOL, max_keepalive_connections=IN_A_POOL)
            self._pools = [
                httpx2.AsyncHTTPTransport(verify=trust, trust_env=False, limits=each)
                for _ in range(math.ceil(connections / IN_A_POOL))
            ]
            self._under_way = [0] * len(self._pools)

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            ours = {"host": request.url.netloc.decode("ascii"), "accept": "*/*", "user-agent": "sfumato"}
            ours |= {"anthropic-version": API_VERSION, "connection": "keep-alive"}
            ours |= {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
            if request.method == "POST":
                ours["content-type"] = "application/json"
            if api_key is not None:
                ours["authorization"] = f"Bearer {api_key}"
            extensions = request.extensions
            sent = httpx2.Request(
                request.method, request.url, headers=ours, stream=request.stream, extensions=extensions
            )
            place = min(range(len(self._pools)), key=self._under_way.__getitem__)
            self._under_way[place] += 1
            try:
                return await self._pools[place].handle_async_request(sent)
            finally:
                self._under_way[place] -= 1

        async def aclose(self) -> None:
            for pool in self._pools:
                await pool.aclose()

    return OnlyOurs()
