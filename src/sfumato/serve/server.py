"""Run the application on this machine: bind first, answer, and stop in order when asked to."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfumato.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

HOST = "127.0.0.1"
PORT = 8470
GRACE_SECONDS = 10


def serve(
    app: FastAPI, *, host: str = HOST, port: int = PORT, ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Answer until SIGINT or SIGTERM, then let open requests finish. `ready` is told the address once it is bound.

    Port 0 takes any free port.

    Raises:
        StorageError: the address is in use or not this machine's.
    """
    import uvicorn

    with _bound(host, port) as listening:
        name, number = listening.getsockname()[:2]
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        with _signals_end_quietly():
            ready(f"http://[{name}]:{number}/" if ":" in name else f"http://{name}:{number}/")
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()
        except (OSError, OverflowError) as problem:
            taken = getattr(problem, "errno", None) == errno.EADDRINUSE
            why = "it is in use; stop what uses it or take another port" if taken else "it is not to be had here"
            raise StorageError(f"can't listen on {host} port {port}: {why}") from None
        yield listening


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it once more when it is done; both kinds then mean: return."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
