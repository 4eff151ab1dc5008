"""One JSON call to a key service: bounded in time, size and attempts, and nothing of an answer in a message."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing, StorageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

ATTEMPTS = 4
FIRST_WAIT_S = 0.2  # four times as long after each failure
TIMEOUT_S = 10.0  # of one attempt: to connect, and again for the whole answer
MOST_BYTES = 1 << 20
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
OK = 200
SHORTEST_TOKEN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a key service answers.

    title: as a person knows it. trust: None for plain HTTP, which the caller allows on this machine only.
    """

    title: str
    host: str
    port: int | None
    trust: ssl.SSLContext | None
    timeout_s: float = TIMEOUT_S
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """A status that is no reason to ask again, and the JSON object that came with it (empty where there was none)."""

    status: int
    body: dict[str, object]

    def text(self, *path: str) -> str:
        """The string under these names, empty where there is none."""
        found: object = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


def ask(service: Service, method: str, path: str, *, body: object = None, headers: Mapping[str, str]) -> Answer:
    """The service's answer. A failing service is asked four times in all, and only for what may be asked twice.

    Raises:
        StorageError: it does not answer, fails, or is too busy, after all attempts.
    """
    content = None if body is None else json.dumps(body).encode()
    wait, why = FIRST_WAIT_S, ""
    for attempt in range(ATTEMPTS):
        if attempt:
            service.sleep(wait)
            wait *= 4
        try:
            answer = _once(service, method, path, content, headers)
        except TimeoutError:
            why = f"no answer within {service.timeout_s:g} s"
        except (OSError, http.client.HTTPException) as failure:
            why = type(failure).__name__
        except ValueError:
            why = "an answer that is no JSON object"
        else:
            if answer.status not in AGAIN:
                return answer
            why = f"status {answer.status}"
    raise StorageError(f"{service.title} can't be used now ({why}, {ATTEMPTS} times): run again when it answers")


def token_checked(token: str, *, title: str, how: str) -> str:
    """A token that can stand in a header.

    Raises:
        KeyMissing: it is empty, cut short, or holds a space or a line break.
    """
    token = token.strip()
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise KeyMissing(f"there is no token for {title}: {how}")
    return token


def _once(service: Service, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
    connection = _connection(service)
    try:
        connection.request(method, path, body=content, headers={"content-type": "application/json", **headers})
        response = connection.getresponse()
        return Answer(status=response.status, body=_object(response, service.timeout_s))
    finally:
        connection.close()


def _connection(service: Service) -> http.client.HTTPConnection:
    if service.trust is None:
        connection = http.client.HTTPConnection(service.host, service.port, timeout=service.timeout_s)
    else:
        connection = http.client.HTTPSConnection(
            service.host, service.port, timeout=service.timeout_s, context=service.trust
        )
    connection.set_debuglevel(0)  # a program around us may have asked for every request on standard output
    return connection


def _object(response: http.client.HTTPResponse, timeout_s: float) -> dict[str, object]:
    """The JSON object of an answer; of an answer that is no success it may be anything, and is then left out."""
    deadline, pieces, size = time.monotonic() + timeout_s, [], 0
    while piece := response.read1(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise ValueError
        if time.monotonic() > deadline:
            raise TimeoutError
    try:
        found = json.loads(b"".join(pieces))
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    if response.status == OK:
        raise ValueError
    return {}
