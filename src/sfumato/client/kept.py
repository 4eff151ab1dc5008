"""What was read before, by its ETag: confirmed by 304, it is neither sent nor checked again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfumato.client.exchange import Request

MOST = 64  # answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An answer as it was read, and its tag."""

    etag: str
    value: object


class Kept:
    """The answers used last, in memory; threads may share it."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, address: str) -> Held | None:
        """What is kept of an address."""
        with self._turn:
            if address in self._held:
                self._held.move_to_end(address)
            return self._held.get(address)

    def keep(self, address: str, etag: str | None, value: object) -> None:
        """Keep an answer that has a tag."""
        if not etag:
            return
        with self._turn:
            self._held[address] = Held(etag=etag, value=value)
            self._held.move_to_end(address)
            while len(self._held) > MOST:
                self._held.popitem(last=False)


def conditional(request: Request, held: Held | None) -> Request:
    """The request, asking only for what has changed."""
    return request if held is None else replace(request, etag=held.etag)
