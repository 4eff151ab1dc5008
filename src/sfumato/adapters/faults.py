"""What went wrong with a call, in our words: an exception may carry a conversation, so none leaves this file."""

from __future__ import annotations

import json
import math
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["busy", "failed", "unreached", "rejected", "unusable"]

BUSY = frozenset({429, 503, 529})
AGAIN = frozenset({408, 409, 425, 499})
ABOUT_THE_PROMPT = frozenset({400, 413, 422, 431})
MAYBE_BILLED = frozenset({408, 499, 502, 504})  # a gateway gave up waiting; the model may have answered it all the same
LONGEST_HOLD_S = 900.0
_MESSAGE_START = 240  # characters; later ones may quote what we sent
_FIELDS = {
    "format": re.compile(r"output_config|output_format|json_schema", re.IGNORECASE),
    "effort": re.compile(r"\beffort\b", re.IGNORECASE),
    "thinking": re.compile(r"\bthinking\b", re.IGNORECASE),
    "cache": re.compile(r"cache_control", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a call brought no answer; holds no text of anybody.

    busy: slow down. failed: this call, try again. unreached: nobody is listening. rejected: not acceptable as it is.
    unusable: nothing can be asked here. status: HTTP, None without a response. hold_s: seconds the server asked us to
    wait. names: fields of ours that the refusal is about. maybe_billed: the request may have been answered, and billed.
    """

    kind: Kind
    status: int | None = None
    hold_s: float | None = None
    names: frozenset[str] = frozenset()
    maybe_billed: bool = False
    why: str = ""


TIMED_OUT = Fault(kind="failed", maybe_billed=True, why="no answer in time")
NONSENSE = Fault(kind="failed", maybe_billed=True, why="answers that are no messages")


def fault(error: Exception) -> Fault:
    """What an exception of the HTTP client means for us."""
    import aiohttp

    causes = _chain(error)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return Fault(kind="unusable", why="its certificate can't be verified")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Fault(kind="unreached")
    if isinstance(error, aiohttp.InvalidURL):
        return Fault(kind="unusable", why="the request can't be formed")
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return Fault(kind="failed", maybe_billed=True, why="dropped connections")


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What a response other than 2xx means."""
    if status in BUSY:
        return Fault(kind="busy", status=status, hold_s=hold(headers))
    if status in AGAIN or status >= 500:  # noqa: PLR2004 - HTTP's own
        return Fault(kind="failed", status=status, hold_s=hold(headers), maybe_billed=status in MAYBE_BILLED)
    if status in ABOUT_THE_PROMPT:
        return Fault(kind="rejected", status=status, names=named_fields(_excerpt(body)))
    return Fault(kind="unusable", status=status)


def hold(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after-ms` or `retry-after` (seconds, or a date) ask for; None where they say nothing."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) * unit
        except ValueError:
            seconds = _until(said)
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), LONGEST_HOLD_S)
    return None


def named_fields(said: str) -> frozenset[str]:
    """The fields of ours that a refusal names in its first words."""
    return frozenset(name for name, pattern in _FIELDS.items() if pattern.search(said[:_MESSAGE_START]))


def _until(said: str) -> float:
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return math.nan
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _excerpt(raw: bytes) -> str:
    """The first words of a refusal, read here and shown to nobody."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = raw.decode("utf-8", "replace")
    if isinstance(body, dict):
        error = body.get("error")
        body = error.get("message") if isinstance(error, dict) else body.get("detail", body)
    if not isinstance(body, str):
        body = json.dumps(body)
    return body[:_MESSAGE_START]


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
