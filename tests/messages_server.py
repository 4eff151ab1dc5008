"""A loopback server that speaks the Messages and Message Batches formats and does what a test's plan says."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCHES = "/v1/messages/batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as the server saw it; `nth` counts from 0."""

    nth: int
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return self.body["messages"][0]["content"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """What is answered, after `after` seconds; status 0 drops the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


DROP = Say(status=0)


def message(fields: Any = None, *, text: str | None = None, stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    """A message whose text is the given object as JSON, or the given text."""
    said = json.dumps({"label": "debug code"} if fields is None else fields) if text is None else text
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "any",
        "content": [{"type": "text", "text": said}],
        "stop_reason": stop,
        "usage": {"input_tokens": 100, "output_tokens": 10} | usage,
    }


def error(kind: str, said: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": said}}


def echo(seen: Seen) -> Say:
    """The prompt's own text as the label."""
    return Say(body=message({"label": seen.text}))


class MessagesServer(ThreadingHTTPServer):
    """plan: what each POST of a message gets. entry: what one request of a batch gets, as its `result`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, plan: Callable[[Seen], Say] = echo, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.plan = plan
        self.entry: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, params: {
            "type": "succeeded",
            "message": message({"label": params["messages"][0]["content"]}),
        }
        self.on_create: Callable[[int], Say | None] = lambda _: None
        self.polls_until_ended = 2
        self.cuts = 0  # how often results break off before their last line
        self.seen: list[Seen] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._numbers = count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def messages(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == "/v1/messages"]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def hang_up(self) -> None:
        """As when the process is killed: connections that were open are no more."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the plan."""

    def note(self, **seen: Any) -> Seen:
        with self.lock:
            found = Seen(nth=next(self._numbers), **seen)
            self.seen.append(found)
            return found

    def batch_call(self, seen: Seen) -> Say:
        if seen.method == "POST":
            return self._create(seen.body["requests"])
        path, _, query = seen.path.partition("?")
        if path == BATCHES:
            assert "limit=100" in query
            listed = [self._state(one) for one in reversed(self.batches.values())]
            return Say(body={"data": listed, "has_more": False, "last_id": None})
        batch_id, _, rest = path.removeprefix(BATCHES + "/").partition("/")
        batch = self.batches.get(batch_id)
        if batch is None:
            return Say(status=404, body=error("not_found_error"))
        if rest == "results":
            lines = [
                json.dumps({"custom_id": one["custom_id"], "result": self.entry(one["custom_id"], one["params"])})
                for one in reversed(batch["requests"])
            ]
            if self.cuts:
                self.cuts -= 1
                return Say(
                    body="\n".join(lines[:-1]) + "\n{", headers={"content-length": "9999", "connection": "close"}
                )
            return Say(body="\n".join(lines) + "\n")
        batch["polls"] += 1
        return Say(body=self._state(batch))

    def _create(self, requests: list[dict[str, Any]]) -> Say:
        told = self.on_create(len(self.batches))
        if told is not None and told.status >= 400:
            return told
        batch_id = f"msgbatch_{len(self.batches)}"
        self.batches[batch_id] = {"id": batch_id, "requests": requests, "polls": 0, "at": time.time()}
        return told or Say(body=self._state(self.batches[batch_id]))

    def _state(self, batch: dict[str, Any]) -> dict[str, Any]:
        ended = batch["polls"] >= self.polls_until_ended
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(batch["requests"])
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(batch["at"])) + "Z"
        status = "ended" if ended else "in_progress"
        return {"id": batch["id"], "processing_status": status, "request_counts": counts, "created_at": at}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MessagesServer
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def do_GET(self) -> None:
        self._answer("GET", {})

    def do_POST(self) -> None:
        self._answer("POST", json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, method: str, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = self.server.note(method=method, path=self.path, headers=headers, body=body)
        with self.server.lock:
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
        try:
            told = self.server.batch_call(seen) if self.path.startswith(BATCHES) else self.server.plan(seen)
            time.sleep(told.after)
        finally:
            with self.server.lock:
                self.server.in_flight -= 1
        if told.status == 0:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        raw = told.body.encode() if isinstance(told.body, str) else json.dumps(told.body).encode()
        self.send_response(told.status)
        for name, value in ({"content-length": str(len(raw))} | told.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def running(plan: Callable[[Seen], Say] = echo, *, port: int = 0) -> Iterator[MessagesServer]:
    """A server on a thread of its own, for as long as the block lasts."""
    server = MessagesServer(plan, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()
