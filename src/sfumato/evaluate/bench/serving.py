"""Reading: a view from memory against a bare route of the same bytes, and how evenly 64 callers are served."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato.audit.log import AuditLog
from sfumato.gate.card import NEIGHBOURING
from sfumato.model.document import encode, identified
from sfumato.model.guarantee import Guarantee
from sfumato.model.layout import Layout
from sfumato.model.release import Estimate, Release, Topic
from sfumato.model.signature import sign
from sfumato.model.strict_json import dumps
from sfumato.policy.load import load, located
from sfumato.serve.ahead import Ahead
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.limits import Rates
from sfumato.serve.operated import PolicySource, Surroundings, operated
from sfumato.serve.recent import RecentReleases, file_stamp
from sfumato.serve.store import ReleaseStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message

TOPICS = 100
CLIENTS, EACH, WARM = 64, 100, 5  # reads; under the limit of one key
READS, ROUNDS = 300, 7
POLICY = "standard"


def measure() -> dict[str, float]:
    """cached_ratio: reads a second over those of the bare route. p50_ms, p99_ms: of 64 callers over sockets."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        release = _published(data)
        with closing(ApiKeys.open(data)) as keys:
            tokens = [keys.issue("analyst") for _ in range(CLIENTS)]
        address = f"/v1/releases/{release}/topics"
        return {"cached_ratio": _ratio(data, address, tokens[0])} | _evenly(data, address, tokens)


def _published(data: Path) -> str:
    """A made-up release, signed and pinned; its id."""
    key = Ed25519PrivateKey.generate()
    some = Estimate(value=900, low=880, high=920)
    topics = tuple(
        Topic(
            id=f"t{number:03d}", parent=None, level=0, name=f"Topic number {number}", description="Made up.",
            phrases=(), users=some, conversations=some,
        )
        for number in range(TOPICS)
    )  # fmt: skip
    promise = Guarantee(
        mode="formal", unit="user", neighbouring=NEIGHBOURING["user"], epsilon=1.0, delta=1e-7, rho=10_000_000,
        bounds={"conversations_per_user": 20}, mechanisms=(), covers=("all",), does_not_cover=("nothing",),
    )  # fmt: skip
    made = identified(
        Release(
            id="", dataset="bench", epoch="2026-01", created="2026-02-01T00:00:00Z", policy_name="standard",
            policy_digest="sha256:" + "0" * 64, guarantee=promise, users=some, conversations=some, facets={},
            topics=topics, audit=(),
        )
    )  # fmt: skip
    layout = Layout(data=data)
    layout.releases.mkdir(parents=True)
    (layout.releases / f"{made.id}.json").write_bytes(dumps(sign(encode(made), key)))
    layout.release_key.write_text(key.public_key().public_bytes_raw().hex() + "\n", encoding="ascii")
    return made.id


def _ratio(data: Path, address: str, token: str) -> float:
    """The server as it runs (limits, audit log, log lines, metrics) over a route that does nothing; best of rounds."""
    from fastapi import FastAPI, Response

    layout, keys = Layout(data=data), ApiKeys.read_only(data)
    source = PolicySource(load=lambda: load(located(POLICY)), stamps=lambda: ())
    around = Surroundings(
        keys=keys,
        log=lambda: AuditLog.open(layout.audit),
        keys_stamp=file_stamp(layout.access),
        rates=Rates(principal=10**9),
    )
    sent = [(b"authorization", f"Bearer {token}".encode())]
    bare = FastAPI()
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stderr(nowhere),
        closing(keys),
        operated(
            source,
            around,
            lambda keeper, view: build_app(RecentReleases(ReleaseStore(data), ahead=Ahead()), keeper, view),
        ) as app,
    ):
        body = asyncio.run(_body(app, address, sent))

        @bare.get("/bytes")
        async def same() -> Response:
            return Response(body, media_type="application/json")

        both = [(_seconds(app, address, sent), _seconds(bare, "/bytes", sent)) for _ in range(ROUNDS)]
    return round(min(theirs for _, theirs in both) / min(ours for ours, _ in both), 2)


def _seconds(app: ASGIApp, address: str, sent: list[tuple[bytes, bytes]]) -> float:
    async def run() -> float:
        began = time.perf_counter()
        for _ in range(READS):
            await _body(app, address, sent)
        return time.perf_counter() - began

    return asyncio.run(run())


async def _body(app: ASGIApp, address: str, sent: list[tuple[bytes, bytes]]) -> bytes:
    """One read, without a network."""
    held = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:  # noqa: PLR2004 - it is what a status is
            raise RuntimeError("a read of the bench was refused")
        held.extend(message.get("body", b""))

    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": address, "raw_path": address.encode(), "query_string": b"", "root_path": "", "headers": sent,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return bytes(held)


def _evenly(data: Path, address: str, tokens: list[str]) -> dict[str, float]:
    """A server of its own process, and as many callers as keys, each asking again as soon as it is answered."""
    words = [sys.executable, "-m", "sfumato", "serve", POLICY, "--data", str(data), "--port", "0"]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        port = _port(server)
        drain = asyncio.run(_callers(port, address, tokens))
    finally:
        server.kill()
        server.communicate()
    times = sorted(drain)
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    return {"p50_ms": round(1000 * p50, 2), "p99_ms": round(1000 * p99, 2), "p99_over_p50": round(p99 / p50, 2)}


def _port(server: subprocess.Popen[str]) -> int:
    """Where it listens; what it writes afterwards is read and dropped, or it would wait for a reader."""
    import threading

    lines: Iterable[str] = server.stderr or ()
    for line in lines:
        if "serves at" in line:
            threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()
            return int(line.rstrip().rstrip("/").rpartition(":")[2])
    raise RuntimeError("the server of the bench did not start")


async def _callers(port: int, address: str, tokens: list[str]) -> list[float]:
    found = await asyncio.gather(*(_caller(port, address, token) for token in tokens))
    return [seconds for times in found for seconds in times[WARM:]]


async def _caller(port: int, address: str, token: str) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    times = []
    for _ in range(WARM + EACH):
        began = time.perf_counter()
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError("a read of the bench was refused")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        times.append(time.perf_counter() - began)
    writer.close()
    return times
