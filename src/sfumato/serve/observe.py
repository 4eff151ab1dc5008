"""The outermost layer: what a request was, in closed words, as a log line, counters and a span."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sfumato.serve import logs
from sfumato.serve.asked import CURRENT, Asked
from sfumato.serve.metrics import METHODS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span, Tracer
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sfumato.serve.metrics import Metrics

UNANSWERED = 499  # nobody waited for the answer
_QUIET = {"/healthz", "/readyz"}
_log = logging.getLogger(__name__)


class Observed:
    """ASGI middleware around the whole application. It looks at no address, query, body or header of a caller.

    It also lets decisions know of the request they are about (`asked.CURRENT`).
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics | None = None, tracer: Tracer | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._tracer = tracer
        self._heard: tuple[Tracer | None, float, bool] = (None, 0.0, True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Asked(scope)
        began, status = time.perf_counter(), UNANSWERED

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if self._metrics is not None:
            self._metrics.began()
        token = CURRENT.set(asked)
        try:
            tracer = self._tracer
            if tracer is None or self._nothing_hears(tracer, began):
                await self._app(scope, receive, watched)
            else:
                with _span(tracer) as span:
                    try:
                        await self._app(scope, receive, watched)
                    finally:
                        _describe(span, asked, status)
        finally:
            CURRENT.reset(token)
            self._told(asked, _method(scope), status, time.perf_counter() - began)

    def _nothing_hears(self, tracer: Tracer, now: float) -> bool:
        """Whether spans need not be begun, as it was at most a second ago: the library looks around for that."""
        asked, until, nowhere = self._heard
        if tracer is not asked or now >= until:
            nowhere = _goes_nowhere(tracer)
            self._heard = (tracer, now + 1, nowhere)
        return nowhere

    def _told(self, asked: Asked, method: str, status: int, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.answered(route=asked.route, method=method, status=status, seconds=seconds)
        if asked.route in _QUIET:
            return
        fields: dict[str, object] = {"method": method, "route": asked.route, "status": status}
        outcome = asked.outcome
        if outcome is not None:
            fields |= {"operation": asked.operation, "decision": "allow" if outcome.allowed else "deny"}
            fields["reason"] = outcome.reason
            if outcome.principal is not None:
                fields |= {"key_id": outcome.principal.key_id, "role": outcome.principal.role}
        logs.line(_log, "answered", milliseconds=round(seconds * 1000, 1), **fields)


def _method(scope: Scope) -> str:
    """The request's, where it is one of HTTP's: any other is the caller's own word."""
    named: str = scope["method"]
    return named if named in METHODS else "other"


def tracer() -> Tracer | None:
    """The tracer of this process, where OpenTelemetry is installed; it goes nowhere until a provider is set."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("sfumato")


def _goes_nowhere(tracer: Tracer) -> bool:
    """Whether spans need not be begun: the process's own tracer, while no provider is set."""
    from opentelemetry import trace

    return isinstance(tracer, trace.ProxyTracer) and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _span(tracer: Tracer) -> AbstractContextManager[Span]:
    """A span around what is inside. The exception, which may hold text, stays out."""
    return tracer.start_as_current_span("request", record_exception=False, set_status_on_exception=False)


def _describe(span: Span, asked: Asked, status: int) -> None:
    span.update_name(asked.route)
    span.set_attribute("http.route", asked.route)
    span.set_attribute("http.response.status_code", status)
    if asked.outcome is not None and asked.operation is not None:
        span.set_attribute("sfumato.operation", asked.operation)
        span.set_attribute("sfumato.decision", "allow" if asked.outcome.allowed else "deny")
