"""One request and how often it is tried, without a network and without a clock: steps that a driver carries out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar
from urllib.parse import urlencode

from sfumato.client.failures import Unreachable

if TYPE_CHECKING:
    from sfumato.model.strict_json import JsonObject

ATTEMPTS = 4
FIRST_WAIT = 0.5  # seconds; doubled after each attempt
LONGEST_WAIT = 60.0  # seconds: a server that wants more is not waited for
PASSING = {429, 502, 503, 504}  # what may be otherwise a moment later
TOO_MANY = 429
_SECONDS_DIGITS = 9

Draw: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. charged: to ask it twice may cost twice, so it is repeated only where nothing was charged yet."""

    method: Literal["GET", "POST"] = "GET"
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: JsonObject | None = None
    etag: str | None = None
    charged: bool = False

    @property
    def address(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; names of headers in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Nothing came back. sent: the server may have read the request."""

    sent: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait before the next step, in seconds."""

    seconds: float


Event: TypeAlias = Reply | Dropped | None
Result = TypeVar("Result")
Steps: TypeAlias = Generator[Request | Pause, Event, Result]
"""Yields what to do and is sent what came of it; returns the result."""


def attempted(request: Request, draw: Draw, attempts: int = ATTEMPTS) -> Steps[Reply]:
    """The last reply, after at most so many attempts. draw: uniform in [0, 1): callers must not come all at once.

    Raises:
        Unreachable: there was none.
    """
    attempt = 1
    while True:
        got = yield request
        wait = _wait(request, got, attempt, draw) if attempt < attempts else None
        if wait is None and isinstance(got, Reply):
            return got
        if wait is None:
            why = got.why if isinstance(got, Dropped) else "nothing"
            raise Unreachable(f"the server can't be reached ({why}); check the address and that it runs")
        yield Pause(seconds=wait)
        attempt += 1


def _wait(request: Request, got: Event, attempt: int, draw: Draw) -> float | None:
    """Seconds until the next attempt; None where there is none to make."""
    backoff = FIRST_WAIT * 2 ** (attempt - 1) * (1 + draw())
    if not isinstance(got, Reply):
        repeatable = not request.charged or (isinstance(got, Dropped) and not got.sent)
        return backoff if repeatable else None
    if got.status not in PASSING or (request.charged and got.status != TOO_MANY):
        return None
    told = _retry_after(got)
    if told is None:  # without it, 429 says that a budget is spent, which no waiting brings back
        return backoff if got.status != TOO_MANY else None
    return told + draw() if told <= LONGEST_WAIT else None


def _retry_after(reply: Reply) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3); a date counts from the reply's own."""
    told = reply.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:_SECONDS_DIGITS])
    try:
        then, now = parsedate_to_datetime(told), parsedate_to_datetime(reply.headers.get("date", ""))
        return max((then - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
