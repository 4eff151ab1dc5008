"""The language models that a policy names, each opened in its role only, all on one meter."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.meter import Meter
from sfumato.errors import ModelUnavailable, Refused
from sfumato.model.release import ModelUse
from sfumato.policy import decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.adapters.tickets import Tickets
    from sfumato.model.prompt import Model
    from sfumato.model.release import Role
    from sfumato.policy.decide import Decision
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_models import Asked

ANTHROPIC = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
ROLES: tuple[Role, ...] = ("extraction", "naming", "auditor")
IN_FLIGHT = 8  # calls about released strings: a few hundred of them at most


class PolicyModels:
    """What `extraction.Models` asks for, on Anthropic-compatible endpoints.

    environment: the process's, for the key and for an endpoint on this machine. spent_before: US dollars that earlier
    runs of the epoch may have cost.
    """

    def __init__(self, policy: Policy, *, environment: Mapping[str, str], spent_before: Decimal) -> None:
        cap = policy.spend.usd_per_epoch
        self._policy = policy
        self._environment = environment
        self._meter = Meter(cap=None if cap is None else Decimal(repr(cap)), spent_before=spent_before)

    def open(self, role: Role, *, journal: Tickets | None = None) -> AbstractContextManager[Model]:
        """The model of a role, if the policy lets it be asked there.

        Raises:
            Refused: the policy does not name it, the environment points elsewhere, or a cap has no price to go by.
            ModelUnavailable: there is no key for an endpoint that is not on this machine.
        """
        url = self._url(role)
        _obey(self._decision(role, url))
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
        key = self._environment.get(KEY_VARIABLE) or None
        if key is None and not endpoint.loopback:
            raise ModelUnavailable(f"no key for {endpoint.place}: set {KEY_VARIABLE}")
        return nullcontext(AnthropicModel(endpoint, api_key=key, meter=self._meter, tickets=journal))

    @property
    def at_most(self) -> Decimal:
        """US dollars that may have been spent, earlier runs included."""
        return self._meter.at_most

    def uses(self) -> tuple[ModelUse, ...]:
        """The models that the policy names, with the host each is asked at."""
        return tuple(
            ModelUse(role=role, model=model, host=urlsplit(self._url(role) or ANTHROPIC).netloc)
            for role in ROLES
            if (model := _section(self._policy, role).model) is not None
        )

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
