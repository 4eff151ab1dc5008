"""Counters and times for Prometheus; every label is one of a closed set, so no metric can carry what a caller wrote."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, make_wsgi_app

from sfumato.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One server's registry: nothing of the process or of other libraries is in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "sfumato_http_requests",
            "Requests by route template, method and class of status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sfumato_http_request_seconds",
            "Seconds from the request to the end of its answer.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._open = Gauge("sfumato_http_open_requests", "Requests being answered.", registry=self.registry)
        self._decisions = Counter(
            "sfumato_decisions",
            "Decisions about access, by operation, outcome and reason.",
            ("operation", "decision", "reason"),
            registry=self.registry,
        )
        self._dropped = Counter(
            "sfumato_log_fields_dropped", "Log fields that were not on the list.", registry=self.registry
        )

        self._by_labels = lru_cache(maxsize=1000)(self._counters)
        self._by_decision = lru_cache(maxsize=1000)(self._decisions.labels)

    def began(self) -> None:
        """A request is open until it is `answered`."""
        self._open.inc()

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """A request is at its end. method: one of METHODS, or `other`."""
        self._open.dec()
        requests, times = self._by_labels(route, method, status // 100)
        requests.inc()
        times.observe(seconds)

    def decision(self, operation: str, *, allowed: bool, reason: str) -> None:
        """A decision was made."""
        self._by_decision(operation, "allow" if allowed else "deny", reason).inc()

    def _counters(self, route: str, method: str, hundreds: int) -> tuple[Counter, Histogram]:
        """Found once: the library checks and looks up labels anew each time."""
        return self._requests.labels(route, method, f"{hundreds}xx"), self._seconds.labels(route)

    def dropped(self, count: int) -> None:
        """Log fields were dropped."""
        self._dropped.inc(count)

    def waiting(self, count: Callable[[], float]) -> None:
        """Show how many events of reads wait for the audit log."""
        Gauge("sfumato_audit_waiting", "Events of reads not on disk yet.", registry=self.registry).set_function(count)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: a request line is a caller's words."""


@contextmanager
def served(metrics: Metrics, *, host: str, port: int) -> Iterator[int]:
    """Answer /metrics on a port of its own while inside, to whoever reaches it; the port.

    Raises:
        StorageError: the address is in use or not this machine's.
    """
    try:
        server = make_server(host, port, make_wsgi_app(metrics.registry), handler_class=_Quiet)
    except (OSError, OverflowError):
        raise StorageError(f"can't listen on {host} port {port} for metrics; take another port") from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
