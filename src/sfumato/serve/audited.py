"""Decisions that leave a trace: a denial is on disk before it is answered, a read within a fraction of a second.

Everything but a read is written, and flushed, before the request goes on; where the log can't be written, it does not
go on (503). Reads wait in a bounded queue in memory, flushed together: a process that is killed loses those of its last
FLUSH_SECONDS, and when the queue is full because the log can't be written, reads are refused too.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Protocol, Self

from fastapi import HTTPException

from sfumato.audit.event import NOBODY, SYSTEM, Event, utc
from sfumato.errors import StorageError
from sfumato.recording import REFUSED_POLICY, policy_change
from sfumato.serve.asked import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfumato.audit.event import Operation as Entered
    from sfumato.audit.log import AuditLog
    from sfumato.policy.schema import Operation
    from sfumato.serve.access import Decision
    from sfumato.serve.api_keys import Principal
    from sfumato.serve.limits import Excess, Limits

FLUSH_SECONDS = 0.2
MOST_WAITING = 10_000
BATCH = 1000
_READS: dict[str, Entered] = {"releases": "read", "policy": "read", "audit": "audit_read", "ledger": "ledger_read"}
_WRITES: dict[str, Entered] = {"queries": "query", "ingest": "ingest"}
_log = logging.getLogger(__name__)


class Reads:
    """Events of reads on their way to the log. Use as a context manager: what waits is flushed as it ends."""

    def __init__(self, write: Callable[[Sequence[Event]], object], *, most: int = MOST_WAITING) -> None:
        self._write = write
        self._most = most
        self._waiting: deque[Event] = deque()
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="audit of reads", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Flush.

        Raises:
            StorageError: what waited could not be written, and is lost.
        """
        self._ended.set()
        self._thread.join()
        self.flush()

    def add(self, event: Event) -> None:
        """Take an event.

        Raises:
            StorageError: the queue is full, so the log has not been written for a while: the read must not go on.
        """
        with self._guard:
            if self.full:
                raise StorageError("the audit log can't keep up, or can't be written: nothing is read meanwhile")
            self._waiting.append(event)

    @property
    def full(self) -> bool:
        """Whether the next one would be refused."""
        return len(self._waiting) >= self._most

    def waiting(self) -> int:
        """How many events are not on disk yet."""
        return len(self._waiting)

    def flush(self) -> None:
        """Write what waits, in order; what can't be written goes on waiting.

        Raises:
            StorageError: the log can't be written.
        """
        while True:
            with self._guard:
                batch = list(islice(self._waiting, BATCH))
            if not batch:
                return
            self._write(batch)  # only this thread takes away, so the batch is still at the front afterwards
            with self._guard:
                for _ in batch:
                    self._waiting.popleft()

    def _run(self) -> None:
        while not self._ended.wait(FLUSH_SECONDS):
            try:
                self.flush()
                self._failing = False
            except StorageError as failure:
                if not self._failing:
                    _log.error("%s", failure)
                self._failing = True


class Deciding(Protocol):
    """The gatekeeper that this one stands before."""

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """One decision with its reason."""

    def at_hand(self, token: str | None, operation: Operation) -> Decision | None:
        """A decision made a moment ago that still stands."""

    def check(self) -> None:
        """Raises StorageError where decisions can't be made."""


class Told(Protocol):
    """Who counts decisions."""

    def decision(self, operation: str, *, allowed: bool, reason: str) -> None:
        """One was made."""


@lru_cache(maxsize=1000)
def _event(who: Principal | None, operation: Entered, rule: str, time: str, policy: str, release: str | None) -> Event:
    """The event; those of one key, one release and one second are the same value, and checked once."""
    return Event(
        time=time,
        actor=NOBODY if who is None else who.key_id,
        role=None if who is None else who.role,
        operation=operation,
        decision="deny" if operation == "denied" else "allow",
        rule=rule,
        policy=policy,
        release=release,
    )


class Audited:
    """A gatekeeper that limits how often one may ask, and records each decision of the one it stands before."""

    def __init__(self, access: Deciding, log: AuditLog, reads: Reads, *, limits: Limits, policy: str) -> None:
        """policy: digest of the one in force."""
        self._access = access
        self._log = log
        self._reads = reads
        self._limits = limits
        self._policy = policy
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.told: Told | None = None
        self._second: tuple[datetime | None, str] = (None, "")

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """The decision, recorded.

        Raises:
            HTTPException: 429, with Retry-After.
            StorageError: it can't be decided or recorded, so it is a denial.
        """
        decision = self._access.decide(token, operation)
        asked = CURRENT.get()
        if asked is not None:
            asked.operation, asked.outcome = operation, decision
        who = decision.principal
        address = None if asked is None else asked.address
        excess = self._limits.stranger(address) if who is None else self._limits.principal(who.key_id)
        self._tell(operation, decision, excess)
        if excess is not None:
            if excess.first:  # one entry a minute for each, or the limit would not limit what is written
                self._log.append(self._event(decision, "denied", rule=excess.rule))
            raise HTTPException(429, headers={"Retry-After": str(excess.wait)})
        self._record(decision, operation, release=None if asked is None else asked.release)
        return decision

    def at_hand(self, token: str | None, operation: Operation) -> Decision | None:
        """A decision that still stands, its read recorded; None where it has to be made, or can't be recorded so."""
        decision = self._access.at_hand(token, operation)
        if decision is None or decision.principal is None or not decision.allowed or operation not in _READS:
            return None
        if self._reads.full or not self._limits.goes_on(decision.principal.key_id):
            return None  # `decide` says what is to be said
        asked = CURRENT.get()
        if asked is not None:
            asked.operation, asked.outcome = operation, decision
        self._tell(operation, decision, None)
        self._record(decision, operation, release=None if asked is None else asked.release)
        return decision

    def check(self) -> None:
        """Whether decisions can be made: raises StorageError where the keys can't be read."""
        self._access.check()

    def policy_in_force(self, digest: str) -> bool:
        """Record that the server's policy is this one, if it was another before; whether it was.

        Raises:
            StorageError: it can't be recorded; the policy before must stay.
        """
        changed = policy_change(self._log, digest, dataset=None, actor=SYSTEM, time=utc(self.now()))
        self._policy = digest
        return changed

    def policy_refused(self) -> None:
        """Record that a new policy was there and is not taken.

        Raises:
            StorageError: it can't be recorded.
        """
        self._log.append(
            Event(
                time=utc(self.now()),
                actor=SYSTEM,
                operation="policy_change",
                decision="deny",
                rule=REFUSED_POLICY,
                policy=self._policy,
            )
        )

    def _record(self, decision: Decision, operation: Operation, *, release: str | None) -> None:
        if not decision.allowed:
            self._log.append(self._event(decision, "denied", rule=decision.rule, release=release))
        elif operation in _READS:
            self._reads.add(self._event(decision, _READS[operation], rule=decision.rule, release=release))
        else:  # also an operation that nobody has named here yet: then this raises, and nothing goes on
            self._log.append(self._event(decision, _WRITES[operation], rule=decision.rule))

    def _event(self, decision: Decision, operation: Entered, *, rule: str, release: str | None = None) -> Event:
        moment = self.now().replace(microsecond=0)
        second = self._second
        if moment != second[0]:
            second = self._second = (moment, utc(moment))  # written out once a second
        return _event(decision.principal, operation, rule, second[1], self._policy, release)

    def _tell(self, operation: Operation, decision: Decision, excess: Excess | None) -> None:
        if self.told is not None:
            reason = excess.rule if excess is not None else decision.reason
            self.told.decision(operation, allowed=decision.allowed and excess is None, reason=reason)
