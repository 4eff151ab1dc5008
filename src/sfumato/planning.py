"""From a policy to what the gateway runs: bounds, budget, facets, field names, the question a release answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rfc8785

from sfumato.errors import PolicyError
from sfumato.extract import facets
from sfumato.ingest.record import FieldMapping
from sfumato.model.epochs import year_of
from sfumato.policy.load import digest
from sfumato.policy.schema import exact
from sfumato.privacy import accounting
from sfumato.privacy.ledger import Caps, Charge
from sfumato.topics.plan import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from sfumato.extract.facets import Facet
    from sfumato.policy.schema import Policy
    from sfumato.privacy.accounting import Allowance

PIPELINE = 1  # raise it when the same policy would measure something else: a stored answer is for its own pipeline
TOO_SMALL = "guarantee.budget: too small for the measurements of a release; raise epsilon, delta or the release's share"
DECIDES_THE_ANSWER = frozenset(
    {
        "unit",
        "epoch",
        "guarantee",
        "contributions",
        "thresholds",
        "extraction",
        "embedding",
        "facets",
        "topics",
        "naming",
    }
)

DECIDES_THE_EXTRACTS = frozenset({"unit", "input", "extraction", "embedding", "facets"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """One release to be: its place, its question's digest, its charge (nano units), its bounds and its caps."""

    dataset: str
    epoch: str
    question: str
    extraction_digest: str
    policy_digest: str
    unit: str
    rho: int
    delta: int
    conversion_delta: Fraction
    topics: TopicPlan
    facets: tuple[Facet, ...]
    bounds: Mapping[str, int]
    caps: Caps

    def charge(self, *, created: str) -> Charge:
        """What the ledger is asked for."""
        return Charge(
            dataset=self.dataset,
            epoch=self.epoch,
            year=year_of(self.epoch),
            purpose="release",
            question=self.question,
            policy=self.policy_digest,
            unit=self.unit,
            rho=self.rho,
            delta=self.delta,
            created=created,
        )


def release_plan(policy: Policy, *, dataset: str, epoch: str) -> ReleasePlan:
    """What a release of this dataset's epoch under this policy will measure and cost."""
    budget, yearly = policy.guarantee.budget, policy.guarantee.yearly
    of_epoch = allowance(budget.epsilon, budget.delta)
    of_year = allowance(yearly.epsilon, yearly.delta)
    rho = int(of_epoch.rho * exact(budget.release))
    topics = topic_plan(policy, rho=rho, delta=of_epoch.selection_delta)
    return ReleasePlan(
        dataset=dataset,
        epoch=epoch,
        question=_question(policy, dataset, epoch),
        extraction_digest=_digest({"pipeline": PIPELINE, "policy": _only(policy, DECIDES_THE_EXTRACTS)}),
        policy_digest=digest(policy),
        unit=policy.unit,
        rho=rho,
        delta=of_epoch.selection_delta,
        conversion_delta=of_epoch.conversion_delta,
        topics=topics,
        facets=facets_of(policy),
        bounds={
            f"conversations_per_{policy.unit}": topics.conversations_per_user,
            f"phrases_per_{policy.unit}": topics.phrases_per_user,
            f"topics_per_{policy.unit}": topics.topics_per_user,
        },
        caps=Caps(
            purpose_rho=rho,
            epoch_rho=of_epoch.rho,
            epoch_delta=of_epoch.selection_delta,
            yearly_rho=of_year.rho,
            yearly_delta=of_year.selection_delta,
        ),
    )


def topic_plan(policy: Policy, *, rho: int, delta: int) -> TopicPlan:
    """Bounds and budget of the discovery; a unit that is a conversation has one conversation, on one topic.

    Raises:
        PolicyError: the budget can't give every measurement a share; said here, before anything is charged.
    """
    bounds, alone = policy.contributions, policy.unit == "conversation"
    if rho < 1:
        raise PolicyError(TOO_SMALL)
    plan = TopicPlan(
        phrases_per_user=bounds.phrases_per_user,
        topics_per_user=1 if alone else bounds.topics_per_user,
        conversations_per_user=1 if alone else bounds.conversations_per_user,
        min_users=policy.thresholds.min_users,
        rho=rho,
        delta=delta,
        leaves=policy.topics.leaves,
    )
    try:
        plan.charges([facet.name for facet in policy.facets])
    except ValueError:
        raise PolicyError(TOO_SMALL) from None
    return plan


def allowance(epsilon: float, delta: float) -> Allowance:
    """What a declared (epsilon, delta) allows.

    Raises:
        PolicyError: it allows nothing.
    """
    try:
        return accounting.allowance(exact(epsilon), exact(delta))
    except ValueError:
        raise PolicyError(TOO_SMALL) from None


def facets_of(policy: Policy) -> tuple[Facet, ...]:
    """The policy's facets as extraction computes or reads them."""
    found = []
    for declared in policy.facets:
        if declared.is_computed:
            found.append(facets.computed(declared.name))  # type: ignore[arg-type]  # the schema knows the same names
        elif isinstance(declared.domain, tuple):
            found.append(facets.category(declared.name, declared.domain, attribute=declared.attribute))
    return tuple(found)


def field_mapping(policy: Policy) -> FieldMapping:
    """Where the policy's input section says that things stand in a record; only declared attributes are read."""
    names = policy.input
    wanted = tuple(facet.attribute for facet in facets_of(policy) if facet.attribute is not None)
    return FieldMapping(
        conversation_id=names.conversation_id,
        user_id=names.user_id,
        messages=names.messages,
        role=names.role,
        content=names.content,
        text=names.text,
        timestamp=names.timestamp,
        attributes=names.attributes,
        speaker=names.speaker,
        wanted=wanted,
    )


def _question(policy: Policy, dataset: str, epoch: str) -> str:
    """Digest of all that decides the answer; who may read it and who owns the policy do not."""
    decides = _only(policy, DECIDES_THE_ANSWER)
    return _digest({"kind": "release", "pipeline": PIPELINE, "dataset": dataset, "epoch": epoch, "policy": decides})


def _only(policy: Policy, sections: frozenset[str]) -> dict[str, Any]:
    return policy.model_dump(mode="json", include=set(sections))


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
