"""What was read a moment ago need not be read again: the list of releases, and decisions while no key has changed."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from sfumato.policy.schema import Operation
    from sfumato.serve.access import Decision
    from sfumato.serve.ahead import Ahead
    from sfumato.serve.ports import Gatekeeper, Releases
    from sfumato.serve.store import Stored

SECONDS = 1.0
AHEAD = SECONDS / 2  # before they are too old, releases that are in use are read again
DECISIONS = 1000
TICK_NS = 3_000_000_000  # more than the coarsest time that a file system notes: two seconds
_COUNTER = slice(24, 28)  # of a SQLite file's header: the change counter, which every commit moves


class _Held(NamedTuple):
    until: float
    renew: float
    stamp: Hashable
    decision: Decision


_Read = tuple[float, "tuple[Stored, ...]", "dict[str, Stored]"]  # good until, newest first, by id


class RecentReleases:
    """Releases as they were at most a second ago: one withdrawn goes, and one added comes, that much later.

    ahead: who reads them again while they are in use, before they are too old; without it, whoever asks next waits.
    """

    def __init__(
        self, store: Releases, *, now: Callable[[], float] = time.monotonic, ahead: Ahead | None = None
    ) -> None:
        self._store = store
        self._now = now
        self._ahead = ahead
        self._lock = threading.Lock()
        self._read: _Read | None = None

    def releases(self) -> tuple[Stored, ...]:
        """Every release, newest first."""
        return self._fresh()[1]

    def get(self, release_id: str) -> Stored | None:
        """One release, or None."""
        return self._fresh()[2].get(release_id)

    def at_hand(self, release_id: str) -> Stored | None:
        """One release, or None where that would have to be looked up."""
        read, now = self._read, self._now()
        if read is None or now >= read[0]:
            return None
        if self._ahead is not None and now >= read[0] - AHEAD:
            self._ahead.ask("releases", self._renew)
        return read[2].get(release_id)

    def _fresh(self) -> _Read:
        with self._lock:
            read = self._read
            return self._renew() if read is None or self._now() >= read[0] else read

    def _renew(self) -> _Read:
        until = self._now() + SECONDS
        found = self._store.releases()
        read = self._read = (until, found, {one.release.id: one for one in found})
        return read


class RecentDecisions:
    """Decisions for as long as they last, a second where that isn't known, and only while `stamp` stays the same.

    So a revoked key is refused at once, an expired one when it expires, an identity provider's token a second later.
    stamp: differs once any key or role may differ; None where that can't be told, and then nothing is remembered.
    Tokens are remembered as hashes. ahead: who asks again about keys in use, before a decision is too old; without
    it, whoever asks next waits.
    """

    def __init__(
        self,
        access: Gatekeeper,
        stamp: Callable[[], Hashable | None],
        *,
        now: Callable[[], float] = time.monotonic,
        ahead: Ahead | None = None,
    ) -> None:
        self._access = access
        self._stamp = stamp
        self._now = now
        self._ahead = ahead
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[bytes, Operation], _Held] = OrderedDict()

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """One decision with its reason; denials are never remembered."""
        known = self.at_hand(token, operation)
        return known if known is not None else self._renew(token, operation)

    def at_hand(self, token: str | None, operation: Operation) -> Decision | None:
        """A decision that still stands, or None."""
        if not token:
            return None
        name, now = (_name(token), operation), self._now()
        held = self._held.get(name)
        if held is None or now >= held.until or held.stamp != self._stamp():
            return None
        if self._ahead is not None and now >= held.renew:
            self._ahead.ask(name, lambda: self._renew(token, operation))
        return held.decision

    def _renew(self, token: str | None, operation: Operation) -> Decision:
        began, stamp = self._now(), self._stamp()
        decision = self._access.decide(token, operation)
        if token:
            with self._lock:
                name = (_name(token), operation)
                self._held.pop(name, None)
                if decision.allowed and stamp is not None:
                    lasts = SECONDS if decision.lasts is None else decision.lasts
                    self._held[name] = _Held(began + lasts, began + lasts / 2, stamp, decision)
                while len(self._held) > DECISIONS:
                    self._held.popitem(last=False)
        return decision

    def check(self) -> None:
        """Raises StorageError where the keys can't be read."""
        self._access.check()


def file_stamp(path: Path, *, now: Callable[[], int] = time.time_ns) -> Callable[[], Hashable | None]:
    """A stamp of a SQLite file with a rollback journal: its identity, size and time, and its change counter if need be.

    A commit moves the file's time, but two within one tick of the file system's clock, which may be seconds, leave it
    the same; so while the time is that recent, the counter, which every commit moves, is read too.
    """
    location = os.fspath(path)

    def stamp() -> Hashable | None:
        try:
            found = os.stat(location)  # noqa: PTH116 - a third of the time of a Path's
            told = found.st_ino, found.st_size, found.st_mtime_ns
            if abs(now() - found.st_mtime_ns) > TICK_NS:
                return told
            with open(location, "rb", buffering=0) as file:  # noqa: PTH123 - the same
                return *told, os.pread(file.fileno(), _COUNTER.stop - _COUNTER.start, _COUNTER.start)
        except OSError:
            return None

    return stamp


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
