"""The outermost layer: security headers on every answer, and a plain problem instead of any exception."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from sfumato.errors import SfumatoError
from sfumato.serve.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_FALLBACK = [(name.encode(), value.encode()) for name, value in {**HEADERS, "cache-control": "no-store"}.items()]
_OVER_TLS = [*_FALLBACK, (b"strict-transport-security", b"max-age=31536000")]
_log = logging.getLogger(__name__)


class Shield:
    """ASGI middleware. Answers are not stored by anybody unless their route says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name for name, _ in message["headers"]}
                fallback = _OVER_TLS if scope.get("scheme") == "https" else _FALLBACK
                message["headers"] = [*message["headers"], *(pair for pair in fallback if pair[0] not in present)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the last line of defence: nothing may reach the caller
            _report(error)
            if started:
                raise ConnectionAbortedError("the answer was cut off") from None
            await problem(503 if isinstance(error, SfumatoError) else 500)(scope, receive, send_with_headers)


def _report(error: Exception) -> None:
    """One line: our own messages are written to be logged; of any other exception only its kind and place are."""
    if isinstance(error, SfumatoError):
        _log.error("%s", error)
        return
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
