"""The server's end of the worker's socket: a question goes out as a public value, what comes back is passed on."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast, get_args

from sfumato.errors import InputError, StorageError
from sfumato.model.question import encode_ask
from sfumato.model.strict_json import Node, dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.model.question import Ask
    from sfumato.model.strict_json import Json

Outcome = Literal["answer", "quote", "exhausted", "busy", "malformed", "failed"]
SOCKET = "worker.sock"
WAIT_SECONDS = 60.0
REPLY_BYTES = 64 * 2**20
PIECE = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the worker said, and the canonical JSON that goes with it."""

    outcome: Outcome
    body: bytes


class Asker(Protocol):
    """Whoever answers questions."""

    def ask(self, ask: Ask, *, analyst: str, role: str) -> Reply | None:
        """The reply; None where live queries are not running.

        Raises:
            StorageError: the worker answers nonsense.
        """


class WorkerSocket:
    """A worker on this machine, by the path of its socket; each question is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, ask: Ask, *, analyst: str, role: str) -> Reply | None:
        """What the worker says.

        analyst: id of the API key, for its share of the budget. role: what the policy decides by.

        Raises:
            StorageError: it broke off, or answered nonsense.
        """
        line: Json = {"analyst": analyst, "ask": encode_ask(ask), "role": role}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(WAIT_SECONDS)
            try:
                connection.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except OSError:
                raise StorageError("the worker's socket can't be used; it must belong to the user who serves") from None
            try:
                connection.sendall(dumps(line) + b"\n")
                return _reply(_all(connection))
            except (OSError, InputError):
                raise StorageError("the worker for live queries broke off; its log says why") from None


def _all(connection: socket.socket) -> bytes:
    """Everything until the worker closes."""
    held = bytearray()
    while piece := connection.recv(PIECE):
        held += piece
        if len(held) > REPLY_BYTES:
            raise InputError("a reply is longer than any answer")
    return bytes(held)


def _reply(line: bytes) -> Reply:
    found = Node(loads(line)).fields("body", "outcome")
    outcome = cast("Outcome", found["outcome"].one_of(*get_args(Outcome)))
    found["body"].entries()
    return Reply(outcome=outcome, body=dumps(found["body"].value))
