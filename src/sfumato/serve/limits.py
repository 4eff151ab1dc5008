"""How often one may ask: each principal, each address that shows no valid credential, and all such addresses together.

Counted in the memory of this process: a restart begins anew, and two processes allow twice as much.
"""

from __future__ import annotations

import ipaddress
import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

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

    def __init__(self, rates: Rates | None = None) -> None:
        wanted = rates or Rates()
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._principal, self._stranger, self._strangers = (
            RateLimitItemPerMinute(rate) for rate in (wanted.principal, wanted.stranger, wanted.strangers)
        )
        self._once = RateLimitItemPerMinute(1)

    def principal(self, key_id: str) -> Excess | None:
        """Count a request of a known principal."""
        return self._hit(self._principal, "principal", key_id)

    def stranger(self, address: str | None) -> Excess | None:
        """Count a request without a valid credential, from this address and from anywhere."""
        return self._hit(self._stranger, "stranger", site(address)) or self._hit(self._strangers, "strangers", "all")

    def _hit(self, item: RateLimitItemPerMinute, kind: str, whose: str) -> Excess | None:
        if self._counters.hit(item, kind, whose):
            return None
        reset = self._counters.get_window_stats(item, kind, whose).reset_time
        wait = min(60, max(1, math.ceil(reset - time.time())))
        return Excess(wait=wait, first=self._counters.hit(self._once, "told", kind, whose), rule=f"limits.{kind}")


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
