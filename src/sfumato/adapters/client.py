"""The one place where the HTTP client is built: every setting said aloud, so that the environment can say nothing."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from sfumato.errors import ModelUnavailable, Refused

if TYPE_CHECKING:
    import ssl

    import aiohttp

    from sfumato.adapters.endpoint import Endpoint

CONNECT_S = 10.0
API_VERSION = "2026-10-21"  # the format that wire.py reads and writes
_HARMLESS = {"", "off", "error", "warn", "warning", "info"}
_QUIET = "aiohttp"


def check_environment() -> None:
    """Refuse to begin where the environment asks Anthropic's SDK, here or in the code around us, to print what is sent.

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
    """No record below WARNING from the HTTP client, whoever sets the level of one of its loggers later.

    Raises:
        ModelUnavailable: it is not installed.
    """
    try:
        import aiohttp  # noqa: F401 - its loggers exist once it is imported
    except ImportError:
        raise ModelUnavailable("asking a model needs aiohttp: pip install 'sfumato[models]'") from None
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] == _QUIET and _only_warnings not in logger.filters:
            logger.addFilter(_only_warnings)


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def trusted() -> ssl.SSLContext:
    """The system's certificates; not Python's default context, which SSLKEYLOGFILE can make write down its keys."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


def open_client(endpoint: Endpoint, api_key: str | None, trust: ssl.SSLContext) -> aiohttp.ClientSession:
    """A client for the running event loop: no proxy, no cookie, no header but ours; every read has its time-out.

    Not Anthropic's SDK: only bodies of our own and raw responses pass here. That took it milliseconds of CPU a call,
    and the environment could tell it to print them.
    """
    import aiohttp

    headers = {"accept": "*/*", "user-agent": "sfumato", "anthropic-version": API_VERSION}
    if api_key is not None:
        headers["authorization"] = f"Bearer {api_key}"
    connect = min(CONNECT_S, endpoint.timeout_s / 2)
    return aiohttp.ClientSession(
        headers=headers,
        skip_auto_headers=["accept-encoding", "content-type"],
        connector=aiohttp.TCPConnector(limit=endpoint.concurrency + 2, ssl=trust),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=endpoint.timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
