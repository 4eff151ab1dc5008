"""How often one may ask: each principal, each address that shows no valid credential, and all such addresses together.

Counted in the memory of this process: a restart begins anew, and two processes allow twice as much.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60.0
IPV6_SITE = 64  # bits: whoever has one address of a /64 has them all
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests a minute. Denials are written to disk before they are answered, so strangers may cause few of them."""

    principal: int = 1200
    stranger: int = 60
    strangers: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Over the limit. wait: whole seconds until it is worth asking again. first: not told of in the last minute."""

    wait: int
    first: bool
    rule: str


class Limits:
    """Counters of the last minute."""

    def __init__(self, rates: Rates | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        wanted = rates or Rates()
        self._principal, self._stranger, self._strangers, self._told = (
            Sliding(most, now=now) for most in (wanted.principal, wanted.stranger, wanted.strangers, 1)
        )

    def principal(self, key_id: str) -> Excess | None:
        """Count a request of a known principal."""
        return self._hit(self._principal, "principal", key_id)

    def goes_on(self, key_id: str) -> bool:
        """Count a request of a known principal; where it is one too many, nobody is told: `principal` tells."""
        return self._principal.hit(key_id) is None

    def stranger(self, address: str | None) -> Excess | None:
        """Count a request without a valid credential, from this address and from anywhere."""
        return self._hit(self._stranger, "stranger", site(address)) or self._hit(self._strangers, "strangers", "all")

    def _hit(self, counter: Sliding, kind: str, whose: str) -> Excess | None:
        wait = counter.hit(whose)
        if wait is None:
            return None
        return Excess(wait=wait, first=self._told.hit(f"{kind} {whose}") is None, rule=f"limits.{kind}")


class Sliding:
    """At most so many hits a minute for each name.

    The minute before counts by as much of it as is less than a minute ago, as if its hits had been spread evenly: two
    numbers a name, which go once nobody has asked for two minutes. It costs a tenth of what a library's counter does,
    which starts a thread to clear up after each request.
    """

    def __init__(self, most: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._guard = threading.Lock()
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def hit(self, whose: str) -> int | None:
        """Count one more; None, or where it is one too many, and so not counted, whole seconds until it may not be."""
        minute, inside = divmod(self._now(), MINUTE)
        with self._guard:
            if minute != self._minute:
                self._before = self._counts if minute == self._minute + 1 else {}
                self._counts, self._minute = {}, int(minute)
            count = self._counts.get(whose, 0)
            if count + self._before.get(whose, 0) * (1 - inside / MINUTE) + 1 > self._most:
                return max(1, math.ceil(MINUTE - inside))
            self._counts[whose] = count + 1
            return None


def site(address: str | None) -> str:
    """What an address is counted under: IPv4 as it is, IPv6 by its /64; what is neither, all together."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return _UNKNOWN
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), IPV6_SITE), strict=False))
    return str(found)
