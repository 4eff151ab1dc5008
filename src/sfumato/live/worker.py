"""The worker's door: a socket of this machine and this user alone, one canonical JSON line in, one out, on the beat."""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast, get_args

from sfumato.audit.event import Role
from sfumato.errors import InputError, SfumatoError, StorageError
from sfumato.live.desk import Reply
from sfumato.live.schedule import Schedule
from sfumato.model.nodump import seal_memory
from sfumato.model.question import parse
from sfumato.model.strict_json import Node, loads
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sfumato.live.desk import Desk

LINE_BYTES = 512 * 2**10  # the longest question that parses has 210 KB
READ_SECONDS = 10.0
AT_ONCE = 32
LONGEST_PATH = 100  # a Unix socket's name has 108 bytes
_PEER = struct.Struct("3i")
_log = logging.getLogger(__name__)


class Worker:
    """Answers at one socket until it is stopped."""

    def __init__(self, desk: Desk, path: Path, *, schedule: Schedule | None = None) -> None:
        self._desk = desk
        self._path = path
        self._schedule = schedule or Schedule()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let `serve` return."""
        self._stopped.set()
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.connect(str(self._path))

    def serve(self, ready: Callable[[Path], None] = lambda _path: None) -> None:
        """Answer until stopped; `ready` is told the socket once it is there.

        Raises:
            Refused: another worker is at this socket. StorageError: it can't be made.
        """
        with _listening(self._path) as door:
            ready(self._path)
            while not self._stopped.is_set():
                self._places.acquire()
                connection, _ = door.accept()
                threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):
                if _uid_of(connection) != os.geteuid():
                    return
                connection.settimeout(READ_SECONDS)
                line = _line(connection)
                if line is not None:
                    since = self._schedule.clock()
                    reply = self._reply(line)
                    self._schedule.wait(since)
                    connection.sendall(b'{"body":%s,"outcome":"%s"}\n' % (reply.body, reply.outcome.encode()))
        finally:
            self._places.release()

    def _reply(self, line: bytes) -> Reply:
        """Never raises: whatever goes wrong is logged by its kind and told as `failed`."""
        try:
            asked = Node(loads(line)).fields("analyst", "ask", "role")
            ask = parse({name: node.value for name, node in asked["ask"].entries().items()})
            analyst = asked["analyst"].text("[0-9a-f]{16}")
            role = cast("Role", asked["role"].one_of(*get_args(Role)))
        except InputError:
            return Reply(outcome="malformed")
        try:
            return self._desk.reply(ask, analyst=analyst, role=role)
        except SfumatoError as problem:
            _log.error("a question was not answered: %s", problem)  # our lines are written to be logged
        except Exception as problem:  # noqa: BLE001 - the last line of defence: nothing of it may reach the caller
            _log.error("a question was not answered: %s", type(problem).__name__)  # a trace may hold data
        return Reply(outcome="failed")


def until_told(worker: Worker, ready: Callable[[Path], None] = lambda _path: None) -> None:
    """Serve until SIGINT or SIGTERM, with no memory left behind in a core file.

    Raises:
        Refused, StorageError: as `Worker.serve`.
    """
    seal_memory()
    before = {one: signal.signal(one, signal.default_int_handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        worker.serve(ready)
    except KeyboardInterrupt:
        pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """The socket, mode 0600; one that a dead worker left is replaced."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise StorageError("live queries need a system that tells who is at the other end of a socket: Linux")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise StorageError(f"{path}: too long for a socket's name; give a shorter one with --socket")
    with durable.exclusive(path.with_name(f".{path.name}.lock")), durable.storage(path):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            before = os.umask(0o177)
            try:
                door.bind(str(path))
            finally:
                os.umask(before)
            door.listen(AT_ONCE)
            try:
                yield door
            finally:
                path.unlink(missing_ok=True)


def _uid_of(connection: socket.socket) -> int:
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(told)[1])


def _line(connection: socket.socket) -> bytes | None:
    """What stands before the first line break; None where there is none within the limit."""
    held = bytearray()
    while b"\n" not in held:
        piece = connection.recv(LINE_BYTES)
        if not piece or len(held) + len(piece) > LINE_BYTES:
            return None
        held += piece
    return bytes(held).partition(b"\n")[0]
