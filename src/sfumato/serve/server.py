"""Run the application: bind first, behind TLS wherever others can reach it, and stop in order when asked to."""

from __future__ import annotations

import errno
import gc
import ipaddress
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import InputError, KeyMissing, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

HOST = "127.0.0.1"
PORT = 8470
GRACE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificate chain and private key, PEM. The key must be its owner's alone."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to listen. Port 0 takes any free one.

    behind_proxy: the address, or network, of a proxy that ends TLS, the only one believed about where a caller is.

    Raises:
        InputError: others could reach it without TLS, or the proxy is no address.
    """

    host: str = HOST
    port: int = PORT
    tls: Tls | None = None
    behind_proxy: str | None = None

    def __post_init__(self) -> None:
        if self.behind_proxy is not None:
            _proxy(self.behind_proxy)
        if self.tls is None and self.behind_proxy is None and not _loopback(self.host):
            raise InputError(
                f"{self.host} can be reached by others, and keys would travel in clear: give --tls-cert and --tls-key, "
                "or --behind-proxy ADDRESS where a proxy ends TLS"
            )


def serve(
    app: ASGIApp,
    *,
    host: str = HOST,
    port: int = PORT,
    ready: Callable[[str], None] = lambda _url: None,
    place: Place | None = None,
) -> None:
    """Answer until SIGINT or SIGTERM, then let open requests finish. `ready` is told the address once it is bound.

    Raises:
        StorageError: the address is in use or not this machine's.
        InputError: others could reach it without TLS, or the certificate can't be used. KeyMissing: others can read
            its key.
    """
    where = place or Place(host=host, port=port)
    if where.tls is not None:
        _check(where.tls)
    with _bound(where.host, where.port) as listening:
        name, number = listening.getsockname()[:2]
        shown = f"[{name}]:{number}" if ":" in name else f"{name}:{number}"
        with _signals_end_quietly():
            ready(f"{'https' if where.tls else 'http'}://{shown}/")
            _run(app, where, listening)


def _run(app: ASGIApp, where: Place, listening: socket.socket) -> None:
    import uvicorn

    tls = where.tls
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=where.behind_proxy is not None,
        forwarded_allow_ips=where.behind_proxy or "",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
    )
    gc.collect()
    gc.freeze()  # what is here now stays: looking through it again and again would stop all callers for a moment
    uvicorn.Server(config).run(sockets=[listening])


def _check(tls: Tls) -> None:
    """Before anything is bound, so that what is wrong is one line."""
    import ssl

    try:
        if tls.key.stat().st_mode & 0o077:
            raise KeyMissing(f"{tls.key}: others can read the TLS key; run chmod 600 on it")
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(tls.certificate, tls.key)
    except OSError as problem:  # an SSLError is one
        why = "certificate and key don't fit, or are no PEM" if isinstance(problem, ssl.SSLError) else problem.strerror
        raise InputError(f"{tls.certificate}: can't serve TLS with it: {why}") from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(address: str) -> None:
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        raise InputError("--behind-proxy: the proxy's address, or its network such as 10.0.3.0/24") from None
    if network.prefixlen == 0:
        raise InputError("--behind-proxy: not the whole world; give the proxy's own address")


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, or asyncio leaves Nagle's algorithm on: 40 ms for each answer of more than one write.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
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
