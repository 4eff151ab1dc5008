"""What a sender delivers: lines told apart from what is none, sealed before they touch the disk, once for each key."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.inbox.box import seal

if TYPE_CHECKING:
    from sfumato.inbox.folder import Inbox

Rejection = Literal["not_utf8", "not_json", "not_object", "too_long"]
LINE_BYTES = 10 << 20
NAMED_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of each line: counts, and the first 20 line numbers for each reason. Blank lines are not counted."""

    lines: int
    accepted: int
    rejections: dict[Rejection, int]
    first_lines: dict[Rejection, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Who sends what for which dataset. key: the sender's Idempotency-Key, hard to guess and kept by the sender."""

    sender: str
    dataset: str
    key: str
    body: bytes


class Conflict(Exception):  # noqa: N818 - the name says what happened
    """This sender delivered something else under this key."""


def deliver(delivery: Delivery, inbox: Inbox) -> Report:
    """Seal the good lines into the inbox, unless that was done before: the same delivery gets the same report.

    What is kept of a delivery to know it again is an HMAC of its body under the sender's key: it confirms no guess at
    the body to anybody who does not know that key.

    Raises:
        Conflict: another body was delivered under this key.
        KeyMissing: the inbox has no public key. StorageError: it can't be written, or is full.
    """
    report, good = sorted_out(delivery.body)
    secret = hashlib.sha256(_named("secret", delivery)).digest()
    name = hashlib.sha256(_named("name", delivery)).hexdigest()[:32]
    tag = hmac.digest(secret, delivery.body, "sha256")
    known = inbox.tag(delivery.dataset, name)
    if known is None and good:
        content = seal(inbox.public_key(), b"\n".join(good), dataset=delivery.dataset, name=name, tag=tag)
        known = tag if inbox.put(delivery.dataset, name, content) else inbox.tag(delivery.dataset, name)
    if known is not None and not hmac.compare_digest(known, tag):
        raise Conflict
    return report


def sorted_out(body: bytes) -> tuple[Report, list[bytes]]:
    """The report, and the lines that hold one JSON object each."""
    good: list[bytes] = []
    places: dict[Rejection, list[int]] = {}
    lines = 0
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        lines += 1
        why = _rejection(line)
        if why is None:
            good.append(line)
        else:
            places.setdefault(why, []).append(number)
    counts = {why: len(numbers) for why, numbers in places.items()}
    first = {why: numbers[:NAMED_LINES] for why, numbers in places.items()}
    return Report(lines=lines, accepted=len(good), rejections=counts, first_lines=first), good


def _rejection(line: bytes) -> Rejection | None:
    if len(line) > LINE_BYTES:
        return "too_long"
    try:
        found = json.loads(line.decode())
    except UnicodeDecodeError:
        return "not_utf8"
    except (ValueError, RecursionError):
        return "not_json"
    return None if isinstance(found, dict) else "not_object"


def _named(purpose: str, delivery: Delivery) -> bytes:
    return f"sfumato delivery 1\n{purpose}\n{delivery.sender}\n{delivery.dataset}\n{delivery.key}".encode()
