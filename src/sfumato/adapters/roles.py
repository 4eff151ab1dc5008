"""The language models that a policy names, each opened in its role only, all on one meter."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.meter import Meter
from sfumato.adapters.prices import FREE
from sfumato.errors import ModelUnavailable, Refused
from sfumato.model.release import ModelUse
from sfumato.policy import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.adapters.meter import Verdict
    from sfumato.adapters.prices import Tariff
    from sfumato.adapters.tickets import Tickets
    from sfumato.model.prompt import Model, Usage
    from sfumato.model.release import Role
    from sfumato.policy.decide import Decision
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_models import Asked

ANTHROPIC = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
ROLES: tuple[Role, ...] = ("extraction", "naming", "auditor")
WRITERS_SHARE = Decimal("0.1")  # of a spend cap: names and audits cost by the topic, reading by the conversation
IN_FLIGHT = 8  # calls about released strings: a few hundred of them at most


class _Noting(Meter):
    """A meter that has what it promises written down first.

    batches: calls are answered in batches. These are found again and counted then, so that only what has come is noted.
    """

    def __init__(self, *, cap: Decimal | None, spent_before: Decimal) -> None:
        super().__init__(cap=cap, spent_before=spent_before)
        self.note: Callable[[Decimal], None] = _nowhere
        self.batches = False
        self._in_order = threading.Lock()

    def admit(self, worst: Decimal) -> Verdict:
        """As `Meter.admit`; `yes` is said once it is noted. Raises StorageError where it can't be."""
        with self._in_order:
            verdict = super().admit(worst)
            if verdict == "yes" and worst and not self.batches:
                self.note(self.at_most)
            return verdict

    def settle(self, worst: Decimal) -> None:
        """As `Meter.settle`; once nothing is in flight, the note says what it really came to."""
        with self._in_order:
            super().settle(worst)
            if worst and not self.batches and not self._calls:
                self.note(self.at_most)

    def count(self, model: str, usage: Usage, tariff: Tariff | None, *, regional: bool = False) -> None:
        """As `Meter.count`."""
        with self._in_order:
            super().count(model, usage, tariff, regional=regional)
            if self.batches and tariff not in {None, FREE}:
                self.note(self.spent)


def _nowhere(_dollars: Decimal) -> None:
    """Nobody keeps the bill."""


class PolicyModels:
    """What `extraction.Models` asks for, on Anthropic-compatible endpoints.

    environment: the process's, for the key and for an endpoint on this machine. spent_before: US dollars that earlier
    runs may have cost at the same work, which is reading or writing.

    Reading conversations and writing about them have meters of their own, each with its share of the cap: what reading
    cost is private to the cent, and may not decide whether there is money left for a name.
    """

    def __init__(self, policy: Policy, *, environment: Mapping[str, str], spent_before: Decimal) -> None:
        self._policy = policy
        self._environment = environment
        self._before = spent_before
        self._meters: dict[bool, _Noting] = {}
        self._making = threading.Lock()  # two meters of one work would let twice the cap pass
        self._note: Callable[[Decimal], None] = _nowhere

    def open(self, role: Role, *, journal: Tickets | None = None) -> AbstractContextManager[Model]:
        """The model of a role, if the policy lets it be asked there.

        Raises:
            Refused: the policy does not name it, the environment points elsewhere, or a cap has no price to go by.
            ModelUnavailable: there is no key for an endpoint that is not on this machine.
        """
        url = self._url(role)
        _obey(self._decision(role, url))
        meter = self._meter(reads=role == "extraction")
        _obey(decide.spend(self._policy.spend, usd=meter.at_most))
        section = _section(self._policy, role)
        extraction = self._policy.extraction
        reads = role == "extraction"
        endpoint = Endpoint(
            model=section.model or "",
            base_url=url or ANTHROPIC,
            region=extraction.region if reads else None,
            concurrency=extraction.concurrency if reads else IN_FLIGHT,
            batch=reads and extraction.batch,
        )
        meter.batches = endpoint.batch
        key = self._environment.get(KEY_VARIABLE) or None
        if key is None and not endpoint.loopback:
            raise ModelUnavailable(f"no key for {endpoint.place}: set {KEY_VARIABLE}")
        return nullcontext(AnthropicModel(endpoint, api_key=key, meter=meter, tickets=journal))

    @property
    def at_most(self) -> Decimal:
        """US dollars that may have been spent, earlier runs included."""
        return max((meter.at_most for meter in self._meters.values()), default=self._before)

    def note_to(self, note: Callable[[Decimal], None]) -> None:
        """See `extraction.Models`."""
        self._note = note
        for meter in self._meters.values():
            meter.note = note

    def uses(self) -> tuple[ModelUse, ...]:
        """The models that the policy names, with the host each is asked at."""
        return tuple(
            ModelUse(role=role, model=model, host=urlsplit(self._url(role) or ANTHROPIC).netloc)
            for role in ROLES
            if (model := _section(self._policy, role).model) is not None
        )

    def _meter(self, *, reads: bool) -> _Noting:
        """The meter of this work, made when it is first asked for."""
        with self._making:
            if reads not in self._meters:
                self._meters[reads] = _Noting(cap=self._cap(reads=reads), spent_before=self._before)
                self._meters[reads].note = self._note
            return self._meters[reads]

    def _cap(self, *, reads: bool) -> Decimal | None:
        """This work's part of the cap; all of it where the policy names no model for the other."""
        declared, policy = self._policy.spend.usd_per_epoch, self._policy
        if declared is None:
            return None
        both = policy.extraction.model is not None and (policy.naming.model or policy.auditor.model) is not None
        share = (1 - WRITERS_SHARE if reads else WRITERS_SHARE) if both else 1
        return Decimal(repr(declared)) * share

    def _url(self, role: Role) -> str | None:
        found = decide.endpoint(_section(self._policy, role), self._environment.get(decide.ENDPOINT_VARIABLE))
        _obey(found)
        return found.url

    def _decision(self, role: Role, url: str | None) -> Decision:
        policy, model = self._policy, _section(self._policy, role).model
        if role == "extraction":
            return decide.extraction(policy.extraction, provider="anthropic", model=model, endpoint=url)
        if role == "naming":
            return decide.naming(
                policy.naming, provider="anthropic", model=model, endpoint=url, evidence=policy.naming.evidence
            )
        return decide.auditing(policy.auditor, provider="anthropic", model=model, endpoint=url)


def _section(policy: Policy, role: Role) -> Asked:
    return {"extraction": policy.extraction, "naming": policy.naming, "auditor": policy.auditor}[role]


def _obey(decision: Decision) -> None:
    if not decision.allowed:
        raise Refused(f"{decision.rule}: {decision.reason}")
