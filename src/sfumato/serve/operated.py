"""An application as it is run: behind its limits, its audit log, a policy that can change, log lines and metrics."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.policy.load import digest
from sfumato.serve import logs, metrics, observe
from sfumato.serve.access import Access
from sfumato.serve.ahead import Ahead
from sfumato.serve.audited import Audited, Reads
from sfumato.serve.limits import Limits, Rates
from sfumato.serve.policy_watch import PolicyView, PolicyWatch, roles_of
from sfumato.serve.recent import RecentDecisions

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from types import FrameType

    from starlette.types import ASGIApp

    from sfumato.audit.log import AuditLog
    from sfumato.policy.schema import Policy
    from sfumato.serve.access import Credentials
    from sfumato.serve.policy_watch import Stamps


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """Where the policy comes from: how it is read, signature and all, and what tells that its files changed."""

    load: Callable[[], Policy]
    stamps: Callable[[], Stamps]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an application is run with.

    tokens: an identity provider's. keys_stamp: differs once any API key may differ, None where that can't be told; as
    in `recent.RecentDecisions`. metrics_at: host and port of /metrics.
    """

    keys: Credentials | None
    log: Callable[[], AuditLog]
    tokens: Credentials | None = None
    keys_stamp: Callable[[], Hashable | None] = lambda: None
    rates: Rates | None = None
    metrics_at: tuple[str, int] | None = None


@contextmanager
def operated(
    source: PolicySource, around: Surroundings, build: Callable[[Audited, PolicyView], ASGIApp]
) -> Iterator[ASGIApp]:
    """The application that `build` makes of the gatekeeper and the view of the policy, as it is to be served.

    As this ends, the reads that wait are flushed to the audit log.

    Raises:
        StorageError: the audit log can't be written, or a port can't be had.
        SfumatoError: the policy can't be had, as its loader says.
    """
    policy = source.load()
    with ExitStack() as stack:
        log = stack.enter_context(closing(around.log()))
        reads = stack.enter_context(Reads(log.append_many))
        access = Access(around.keys, policy.access, tokens=around.tokens)
        recent = RecentDecisions(access, _stamp(around.keys_stamp, access), ahead=Ahead())
        keeper = Audited(recent, log, reads, limits=Limits(around.rates), policy=digest(policy))
        counted = keeper.told = metrics.Metrics()
        counted.waiting(reads.waiting)
        stack.enter_context(logs.written()).told = counted.dropped
        view = PolicyView(policy)
        watch = PolicyWatch(source.load, stamps=source.stamps, recorder=keeper, in_force=policy)
        stack.enter_context(watch.obeyed_by(roles_of(access)).obeyed_by(view.replace))
        stack.enter_context(_hangup_calls(watch))
        if around.metrics_at is not None:
            host, port = around.metrics_at
            stack.enter_context(metrics.served(counted, host=host, port=port))
        yield observe.Observed(build(keeper, view), metrics=counted, tracer=observe.tracer())


def _stamp(keys: Callable[[], Hashable | None], access: Access) -> Callable[[], Hashable | None]:
    """A decision stands while neither the keys nor the roles have changed."""

    def stamp() -> Hashable | None:
        found = keys()
        return None if found is None else (found, access.roles)

    return stamp


@contextmanager
def _hangup_calls(watch: PolicyWatch) -> Iterator[None]:
    """SIGHUP means: read the policy again. Only the main thread may say what a signal means."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def called(_signal: int, _frame: FrameType | None) -> None:
        watch.call()

    before = signal.signal(signal.SIGHUP, called)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
