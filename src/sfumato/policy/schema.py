"""The policy document `sfumato/v1`: every field, its type, its range and what it means.

A policy holds the parameters of one fixed pipeline, not logic: so it can be explained, compared and signed.
"""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Positive = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Delta = Annotated[float, Field(ge=1e-8, le=1e-3, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[hd]$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Stated = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

DomainValue = Annotated[str, StringConstraints(min_length=1, max_length=64)]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COMPUTED = ("language", "turns", "length", "hour")


class Section(BaseModel):
    """Strict, frozen, and silent about the input in its errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


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

    mode: Literal["formal"] = "formal"
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


class Extraction(Section):
    """Who reads the conversations: `extractive` is words and a language detector, no model."""

    provider: Literal["extractive"] = "extractive"


class Embedding(Section):
    """The fixed, public sentence model, pinned by the SHA-256 of its weights."""

    model: Literal["all-MiniLM-L6-v2"] = "all-MiniLM-L6-v2"
    sha256: Hash = MINILM_SHA256
    path: str | None = None


class FacetSection(Section):
    """One facet. `computed`: language, turns, length or hour. `category`: a declared attribute with a closed domain."""

    name: Name
    kind: Literal["computed", "category"] = "computed"
    domain: Literal["iso639"] | Annotated[tuple[DomainValue, ...], Field(min_length=1, max_length=1000)] | None = None
    attribute: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if self.is_computed and self.name not in COMPUTED:
            raise ValueError(f"nothing computes it: computed facets are {', '.join(COMPUTED)}")
        if self.is_computed and (self.attribute is not None or self.domain not in {None, *self._own_domain()}):
            raise ValueError("what is computed reads no attribute and has a domain of its own; leave them out")
        if not self.is_computed and not isinstance(self.domain, tuple):
            raise ValueError("a category needs a closed domain, such as [free, pro, team]")
        if isinstance(self.domain, tuple) and len(set(self.domain)) != len(self.domain):
            raise ValueError("the domain names a value twice")
        if isinstance(self.domain, tuple) and "unknown" in self.domain:
            raise ValueError("the domain always has `unknown`; leave it out")
        return self

    def _own_domain(self) -> tuple[str, ...]:
        return ("iso639",) if self.name == "language" else ()

    @property
    def is_computed(self) -> bool:
        """`language` with the domain iso639 may be written as a category; it is computed all the same."""
        return self.kind == "computed" or (self.name == "language" and self.domain == "iso639")


class Topics(Section):
    """How many leaf topics to aim at; left out, the noisy counts decide."""

    leaves: Annotated[int, Field(ge=2, le=5000)] | None = None


class Naming(Section):
    """What names may be written from. Private summaries exist in guarded mode only."""

    evidence: Literal["released_phrases"] = "released_phrases"


class Auditor(Section):
    """Who reads every string before it is published; what can't be judged is denied."""

    provider: Literal["detectors"] = "detectors"
    on_error: Literal["deny"] = "deny"


class Retention(Section):
    """How long sealed data may live. Raw text is discarded as soon as it is extracted."""

    raw: Literal["discard_after_extraction"] = "discard_after_extraction"
    raw_ttl: Duration = "24h"
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
    guarantee: GuaranteeSection
    contributions: Contributions = Contributions()
    thresholds: Thresholds = Thresholds()
    input: InputSection = InputSection()
    extraction: Extraction = Extraction()
    embedding: Embedding = Embedding()
    facets: Annotated[tuple[FacetSection, ...], Field(max_length=20)] = ()
    topics: Topics = Topics()
    naming: Naming = Naming()
    auditor: Auditor = Auditor()
    retention: Retention = Retention()
    access: Access = Access()
    override: Annotated[tuple[Override, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        budget, yearly = self.guarantee.budget, self.guarantee.yearly
        if yearly.epsilon < budget.epsilon or yearly.delta < budget.delta:
            raise ValueError("guarantee.yearly is smaller than one epoch's budget: no epoch could ever be released")
        names = [facet.name for facet in self.facets]
        if len(set(names)) != len(names):
            raise ValueError("facets: two facets have the same name")
        return self


def exact(declared: float) -> Fraction:
    """The decimal that stood in the file, exactly: 0.1 is one tenth here, not its nearest binary fraction."""
    return Fraction(repr(declared))
