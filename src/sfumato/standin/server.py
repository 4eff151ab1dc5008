"""Runs the stand-in on 127.0.0.1 and nowhere else, until it is asked to stop."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfumato.errors import Refused, StorageError
from sfumato.standin.app import BATCH_SECONDS, build_app
from sfumato.standin.desk import Desk
from sfumato.standin.faults import Rules
from sfumato.standin.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import uvicorn

HOST = "127.0.0.1"
BACKLOG = 1_024
STOP_SECONDS = 5


def serve(
    desk: Desk,
    *,
    host: str = HOST,
    port: int = 0,
    latency: float = 0.0,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Answer until SIGINT or SIGTERM. `ready` is told the base URL once the port is bound; port 0 takes a free one.

    Raises:
        Refused: the host is not 127.0.0.1: what is sent here is meant to stay on this machine.
        StorageError: the port is in use.
    """
    with _bound(host, port) as listening:
        server = _server(desk, latency)
        with _signals_end_quietly():
            ready(_url(listening))
            server.run(sockets=[listening])


@contextmanager
def running(
    rules: Rules | None = None, *, latency: float = 0.0, batch_seconds: float = BATCH_SECONDS, desk: Desk | None = None
) -> Iterator[str]:
    """The base URL of a stand-in in a thread of this process, on a free port, stopped at the end of the block."""
    held = desk or Desk(rules=rules or Rules(), batch_seconds=batch_seconds)
    with _bound(HOST, 0) as listening:
        server = _server(held, latency)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield _url(listening)  # bound and listening: what connects now is answered as soon as the thread is there
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(STOP_SECONDS)


@contextmanager
def opened(rules: Rules, *, batch_seconds: float = BATCH_SECONDS, state: Path | None = None) -> Iterator[Desk]:
    """A desk, with what its state file holds, which is held until the end of the block.

    Raises:
        StorageError: the state file can't be opened or is held by another server.
        InputError: the state file is something else.
    """
    if state is None:
        yield Desk(rules=rules, batch_seconds=batch_seconds)
        return
    journal, events = Journal.open(state)
    try:
        desk = Desk(rules=rules, batch_seconds=batch_seconds, journal=journal)
        desk.replay(events)
        yield desk
    finally:
        journal.close()


def _server(desk: Desk, latency: float) -> uvicorn.Server:
    import uvicorn

    config = uvicorn.Config(
        build_app(desk=desk, latency=latency),
        access_log=False,
        log_config=None,
        log_level="critical",  # a dropped connection is what a rule asked for, not an error to report
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _url(listening: socket.socket) -> str:
    return f"http://{HOST}:{listening.getsockname()[1]}"


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    if host != HOST:
        raise Refused(f"the model-server listens on {HOST} only; leave --host out")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        # of TCP by name: only of such a socket does asyncio turn off the delay that would cost every answer 40 ms
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except (OSError, OverflowError) as problem:
            taken = getattr(problem, "errno", None) == errno.EADDRINUSE
            why = "it is in use; stop what uses it or take another" if taken else "it is not to be had"
            raise StorageError(f"can't listen on port {port}: {why}") from None
        yield listening


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it once more when it is done; both kinds then mean: return."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
