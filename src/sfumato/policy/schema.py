"""The policy document `sfumato/v1`: every field, its type, its range and what it means.

A policy holds the parameters of one fixed pipeline, not logic: so it can be explained, compared and signed.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sfumato.policy.schema_base import Delta, Duration, Hash, Name, Positive, Section, Share, Stated, exact
from sfumato.policy.schema_facets import FacetSection, TaxonomySection
from sfumato.policy.schema_models import Auditor, Extraction, Naming, Screen, Spend
from sfumato.policy.schema_queries import TOPIC, Queries

VectorModel = Literal["all-MiniLM-L6-v2", "multilingual-e5-small"]
MINILM: VectorModel = "all-MiniLM-L6-v2"
WEIGHTS: dict[VectorModel, str] = {
    MINILM: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "multilingual-e5-small": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
}

TAKEN = frozenset({"screened", "topic", "summary", "labels"})


class Metadata(Section):
    """Who answers for the policy."""

    name: Name
    owner: Annotated[str, StringConstraints(max_length=200)] = "unknown"
    description: Annotated[str, StringConstraints(max_length=2000)] = ""


class Budget(Section):
    """(epsilon, delta) of one epoch, and the shares of its rho that the release and the live queries may spend."""

    epsilon: Positive
    delta: Delta
    release: Share = 1.0
    queries: Share = 0.0

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if exact(self.release) + exact(self.queries) > 1:
            raise ValueError("the shares of release and queries add up to more than 1")
        if self.release == 0:
            raise ValueError("a release with a share of 0 can measure nothing")
        return self


class Yearly(Section):
    """(epsilon, delta) that all epochs of a calendar year may spend together."""

    epsilon: Positive
    delta: Delta


class GuaranteeSection(Section):
    """Which guarantee, and how much of it."""

    mode: Literal["formal", "guarded"] = "formal"
    budget: Budget
    yearly: Yearly


class Contributions(Section):
    """What one unit of privacy may contribute to an epoch; sensitivity follows from these."""

    conversations_per_user: Annotated[int, Field(ge=1, le=1000)] = 20
    phrases_per_user: Annotated[int, Field(ge=1, le=20)] = 6
    topics_per_user: Annotated[int, Field(ge=1, le=20)] = 5


class Thresholds(Section):
    """A topic or cell whose noisy numbers are below these is not published."""

    min_users: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    min_conversations: Annotated[int, Field(ge=1, le=1_000_000)] = 50


class InputSection(Section):
    """Which JSON keys hold what (dotted paths reach inside objects), and how long a line may be."""

    conversation_id: str = "conversation_id"
    user_id: str = "user_id"
    messages: str = "messages"
    role: str = "role"
    content: str = "content"
    text: str = "text"
    timestamp: str = "timestamp"
    attributes: str = "attributes"
    speaker: str = "user_id"
    line_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 10_485_760


class Embedding(Section):
    """The fixed, public sentence model, pinned by the SHA-256 of its weights: English, or of some hundred languages."""

    model: VectorModel = MINILM
    sha256: Hash = Field(default_factory=lambda stated: WEIGHTS[stated.get("model", MINILM)])
    path: str | None = None


class Topics(Section):
    """Discovered or declared. leaves: how many to aim at; left out, the noisy counts decide. taxonomy: skip discovery.

    at_most: nodes of the taxonomy that one conversation may stand for.
    """

    leaves: Annotated[int, Field(ge=2, le=5000)] | None = None
    taxonomy: TaxonomySection | None = None
    at_most: Annotated[int, Field(ge=1, le=10)] = 1

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.taxonomy is not None and self.leaves is not None:
            raise ValueError("a declared taxonomy has its own leaves; leave `leaves` out")
        if self.taxonomy is None and self.at_most != 1:
            raise ValueError("at_most is for a declared taxonomy; leave it out")
        return self


class Retention(Section):
    """How long sealed data may live. Raw text is discarded as soon as it is extracted.

    raw_key: stored, wrapped by the root key; or in memory only, where a crash may lose text that is not yet extracted.
    """

    raw: Literal["discard_after_extraction"] = "discard_after_extraction"
    raw_ttl: Duration = "24h"
    raw_key: Literal["stored", "memory"] = "stored"
    derived: Literal["discard_after_release", "keep_until_ttl"] = "discard_after_release"
    derived_ttl: Duration = "30d"


Operation = Literal["releases", "queries", "audit", "ledger", "ingest", "policy", "keys"]


class Access(Section):
    """Which role may do what over the network. A role that is not named may do nothing."""

    analyst: tuple[Operation, ...] = ()
    auditor: tuple[Operation, ...] = ()
    ingester: tuple[Operation, ...] = ()
    admin: tuple[Operation, ...] = ()


def _day(value: object) -> object:
    """A day as YAML or JSON may give it; whatever else goes on to strict validation."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    if type(value) is not date:
        raise ValueError("write the day as YYYY-MM-DD")
    return value


class Override(Section):
    """Leave for one field to be looser than what the policy extends. Who gave it, why, and the last day it holds."""

    field: Stated
    reason: Stated
    approved_by: Stated
    expires: Annotated[date, BeforeValidator(_day)]


class Policy(Section):
    """One deployment's policy, resolved."""

    apiVersion: Literal["sfumato/v1"]  # noqa: N815 - the document's own spelling
    kind: Literal["PrivacyPolicy"]
    metadata: Metadata
    unit: Literal["user", "conversation"]
    epoch: Literal["day", "week", "month", "quarter", "year"]
    signature_required: bool = False
    guarantee: GuaranteeSection
    contributions: Contributions = Contributions()
    thresholds: Thresholds = Thresholds()
    input: InputSection = InputSection()
    extraction: Extraction = Extraction()
    embedding: Embedding = Embedding()
    screen: Screen | None = None
    facets: Annotated[tuple[FacetSection, ...], Field(max_length=20)] = ()
    topics: Topics = Topics()
    naming: Naming = Naming()
    auditor: Auditor = Auditor()
    spend: Spend = Spend()
    retention: Retention = Retention()
    queries: Queries = Queries()
    access: Access = Access()
    override: Annotated[tuple[Override, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        budget, yearly = self.guarantee.budget, self.guarantee.yearly
        if yearly.epsilon < budget.epsilon or yearly.delta < budget.delta:
            raise ValueError("guarantee.yearly: smaller than one epoch's budget: no epoch could ever be released")
        names = [facet.name for facet in self.facets]
        if len(set(names)) != len(names):
            raise ValueError("facets: two facets have the same name")
        for taken in TAKEN & set(names):
            raise ValueError(f"facets: `{taken}` is a name that releases and forms use themselves; take another")
        return self

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        """Live questions need a budget, data to answer from, and topics that owe nothing to one user."""
        names = {facet.name for facet in self.facets}
        if strange := set(self.queries.group_by) - names - {TOPIC}:
            raise ValueError(f"queries.group_by: {min(strange)} is neither `topic` nor a facet of this policy")
        if not self.queries.live:
            return self
        if self.guarantee.budget.queries == 0:
            raise ValueError("queries.live: needs a share of the budget; set guarantee.budget.queries above 0")
        if self.retention.derived != "keep_until_ttl":
            raise ValueError("queries.live: answers come from the extracts; set retention.derived to keep_until_ttl")
        if self.guarantee.mode == "guarded":
            raise ValueError("queries.live: topics of guarded mode are no private measurements; use formal mode")
        return self

    @model_validator(mode="after")
    def _separate(self) -> Self:
        """Where policies are signed, duties are separate: who may change policy or keys may not ask."""
        for role, granted in self.access:
            rules = {"policy", "keys"} & set(granted)
            if self.signature_required and rules and "queries" in granted:
                raise ValueError(
                    f"access.{role}: where policies must be signed, a role with {min(rules)} may ask no questions; "
                    "grant `queries` to another"
                )
        return self

    @model_validator(mode="after")
    def _readers(self) -> Self:
        """Who asks needs a model to ask, and only guarded mode lets names be written from what is private."""
        reads, guarded = self.extraction.provider == "anthropic", self.guarantee.mode == "guarded"
        if not reads and (self.screen is not None or any(facet.is_asked for facet in self.facets)):
            raise ValueError(
                "extraction: a facet or the screen asks a question, which only a model answers; "
                "set provider to anthropic"
            )
        if self.naming.evidence == "private_summaries" and not guarded:
            raise ValueError("naming.evidence: names from private summaries exist in guarded mode only")
        if guarded and not (reads and self.naming.evidence == "private_summaries"):
            raise ValueError(
                "guarantee.mode: guarded mode is Clio as published: extraction by a model, and names from "
                "private_summaries"
            )
        if guarded and self.topics.taxonomy is not None:
            raise ValueError("topics.taxonomy: a declared taxonomy needs no guarded mode; use formal")
        return self
