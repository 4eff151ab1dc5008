"""What the use cases write into the audit log: what was done, denied or failed, on disk before the answer."""

from __future__ import annotations

import functools
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from sfumato.audit.event import OPERATOR, SYSTEM, Charge, Event, decode, utc
from sfumato.errors import (
    BudgetExhausted,
    InputError,
    KeyMissing,
    ModelUnavailable,
    NoiseFailure,
    PolicyError,
    Refused,
    StorageError,
    VaultError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.audit.event import Operation
    from sfumato.audit.log import AuditLog

IN_FORCE, SUPERSEDED, REFUSED_POLICY = "policy.in_force", "policy.superseded", "policy.refused"
RECENT = 500  # entries searched before the whole log is
_CHANGE = b'"operation":"policy_change"'
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (Refused, "refused"),
    (BudgetExhausted, "guarantee.budget"),
    (InputError, "failed.input"),
    (KeyMissing, "failed.key_missing"),
    (VaultError, "failed.vault"),
    (ModelUnavailable, "failed.model"),
    (StorageError, "failed.storage"),
    (NoiseFailure, "failed.noise"),
    (PolicyError, "policy.refused"),
    (KeyboardInterrupt, "failed.interrupted"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every event of one recorder is about: dataset, epoch, and the digest of the policy in force."""

    dataset: str | None = None
    epoch: str | None = None
    policy: str | None = None


class Recorder:
    """The operator's hand in the log: what a use case did, under one policy."""

    def __init__(
        self, log: AuditLog, about: About, *, now: Callable[[], datetime], signer: Ed25519PrivateKey | None = None
    ) -> None:
        """signer: signs a checkpoint as each use case ends; who only writes single events needs none."""
        self._log = log
        self._about = about
        self._now = now
        self._signer = signer

    def done(
        self,
        operation: Operation,
        *,
        rule: str,
        release: str | None = None,
        receipt: str | None = None,
        charge: Charge | None = None,
    ) -> None:
        """Write that this was allowed, or happened.

        Raises:
            StorageError: it is not on disk; what was to be done must not go on.
        """
        event = self._event(operation, "allow", rule=rule)
        self._log.append(_with(event, release=release, receipt=receipt, charge=charge))

    def denied(self, operation: Operation, *, rule: str) -> None:
        """Write that this was refused, or failed, which is a refusal.

        Raises:
            StorageError: as `done`.
        """
        self._log.append(self._event(operation, "deny", rule=rule))

    def swept(self, parts: Sequence[tuple[str, str, str, str | None]]) -> None:
        """Write what retention destroyed: (dataset, part, zone, receipt) of each, as `retention.sweep` gives them.

        Raises:
            StorageError: as `done`.
        """
        for dataset, part, zone, receipt in parts:
            self._log.append(
                Event(
                    time=utc(self._now()),
                    actor=SYSTEM,
                    operation="sweep",
                    decision="allow",
                    rule=f"retention.{zone}_ttl",
                    policy=self._about.policy,
                    dataset=dataset,
                    epoch=part.partition(".")[0],
                    receipt=receipt,
                )
            )

    def forgotten(self, datasets: Sequence[str], parts: Sequence[tuple[str, str, str]]) -> None:
        """Write that somebody is being forgotten: of every dataset and every epoch there, the same whoever it is.

        Raises:
            StorageError: as `done`.
        """
        epochs = sorted({(dataset, part.partition(".")[0]) for dataset, part, _ in parts})
        event = self._event("forget", "allow", rule="unit")
        for dataset, epoch in [*((dataset, None) for dataset in datasets), *epochs]:
            self._log.append(replace(event, dataset=dataset, epoch=epoch))

    def policy_in_force(self) -> bool:
        """Write that the policy changed, if it did since this log last heard; whether it did.

        Raises:
            StorageError: as `done`.
        """
        if self._about.policy is None:
            raise ValueError("this recorder is about no policy")
        moment = utc(self._now())
        return policy_change(self._log, self._about.policy, dataset=self._about.dataset, actor=OPERATOR, time=moment)

    @contextmanager
    def refusals(self, operation: Operation) -> Iterator[None]:
        """What is inside, with its failure written as a denial.

        Raises:
            StorageError: what became of it can't be written.
        """
        try:
            yield
        except BaseException as failure:
            self.denied(operation, rule=cause(failure))
            raise

    @contextmanager
    def use_case(self, operation: Operation) -> Iterator[None]:
        """What is inside, with its failure written as a denial, and a signed checkpoint at its end either way.

        Raises:
            StorageError: what became of it can't be written or signed.
        """
        if self._signer is None:
            raise ValueError("a use case ends with a checkpoint: this recorder has nobody to sign it")
        try:
            with self.refusals(operation):
                yield
        finally:
            self._log.checkpoint(self._log.signer(self._signer), time=utc(self._now()))

    def _event(self, operation: Operation, decision: Literal["allow", "deny"], *, rule: str) -> Event:
        about = self._about
        return Event(
            time=utc(self._now()),
            actor=OPERATOR,
            operation=operation,
            decision=decision,
            rule=rule,
            policy=about.policy,
            dataset=about.dataset,
            epoch=about.epoch,
        )


class Recorded(Protocol):
    """What has a recorder while it is in use."""

    @property
    def audit(self) -> Recorder: ...


_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Owner = TypeVar("_Owner", bound=Recorded)


def use_case(
    operation: Operation,
) -> Callable[
    [Callable[Concatenate[_Owner, _Parameters], _Result]], Callable[Concatenate[_Owner, _Parameters], _Result]
]:
    """Make a method a use case of its owner's recorder, as `Recorder.use_case` says."""

    def decorate(
        method: Callable[Concatenate[_Owner, _Parameters], _Result],
    ) -> Callable[Concatenate[_Owner, _Parameters], _Result]:
        @functools.wraps(method)
        def recorded(self: _Owner, /, *args: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
            with self.audit.use_case(operation):
                return method(self, *args, **named)

        return recorded

    return decorate


def cause(failure: BaseException) -> str:
    """The closed word for what went wrong; its message, which is prose, stays out of the log."""
    return next((word for kind, word in _CAUSES if isinstance(failure, kind)), "failed.internal")


KeyChange = Literal["key_create", "key_revoke", "key_rotate"]


def key_witness(opened: Callable[[], AuditLog], now: Callable[[], datetime]) -> Callable[[KeyChange, str], None]:
    """What writes the operator's changes of API keys, by their ids, into the log that `opened` gives each time.

    When called it raises StorageError where that is not on disk; the key must then stay as it was.
    """

    def write(change: KeyChange, key: str) -> None:
        moment = utc(now())
        with closing(opened()) as log:
            log.append(Event(time=moment, actor=OPERATOR, operation=change, decision="allow", rule="operator", key=key))

    return write


def policy_change(log: AuditLog, digest: str, *, dataset: str | None, actor: str, time: str) -> bool:
    """Write old and new policy together, if this one is not the last that the log knows; whether it is not.

    Two entries, one after the other: `policy.superseded` with the old digest, where there was one, and
    `policy.in_force` with the new. dataset: whose policy; None for that of the server.

    Raises:
        StorageError: they are not on disk; the new policy must not be used.
    """
    before = last_policy(log, dataset=dataset)
    if before == digest:
        return False
    known = [(SUPERSEDED, before)] if before is not None else []
    log.append_many(
        [
            Event(
                time=time,
                actor=actor,
                operation="policy_change",
                decision="allow",
                rule=rule,
                policy=policy,
                dataset=dataset,
            )
            for rule, policy in (*known, (IN_FORCE, digest))
        ]
    )
    return True


def last_policy(log: AuditLog, *, dataset: str | None) -> str | None:
    """Digest of the policy that the log last heard to be in force, for this dataset (None: for the server)."""

    def of(events: Iterator[Event]) -> str | None:
        found = [
            one for one in events if (one.operation, one.rule, one.dataset) == ("policy_change", IN_FORCE, dataset)
        ]
        return found[-1].policy if found else None

    recent = of(event for _, event in log.events(last=RECENT))
    if recent is not None:
        return recent
    with log.stored() as stored:  # decoded only where it can be one: some 10 s for a million entries
        return of(decode(entry.body)[1] for entry in stored.entries if _CHANGE in entry.body)


def _with(event: Event, **named: object) -> Event:
    return replace(event, **{name: value for name, value in named.items() if value is not None})  # type: ignore[arg-type]  # Event checks itself
