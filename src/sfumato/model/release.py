"""PUBLIC. A release: the tree of named topics with noisy numbers. Every field may be published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.model.guarantee import Guarantee

FORMAT = "sfumato.release/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A noisy number and its 95 % interval, which is of the noise; it does not speak of contribution bounding."""

    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseCount:
    """A released phrase and how many users stand behind it, in a topic or overall."""

    text: str
    users: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetCount:
    """One value of a facet's domain and its users; `users` is None where the noisy count is under the threshold."""

    value: str
    users: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One released topic. `level` counts from 0 (the leaves); `parent` is None at the top."""

    id: str
    parent: str | None
    level: int
    name: str
    description: str
    phrases: tuple[PhraseCount, ...]
    users: Estimate
    conversations: Estimate
    facets: Mapping[str, tuple[FacetCount, ...]] = field(default_factory=dict)
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided on one string or topic, and by which rule; never the string."""

    subject: str
    rule: str
    allowed: bool


Role = Literal["extraction", "naming", "auditor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A language model that took part: what it did, its name, and the host that was asked.

    The extraction's model has read conversations; a naming or auditing one, only what stands in a release (guarded
    mode: private summaries too).
    """

    role: Role
    model: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The signed document, less its signature. Only `sfumato.gate.door` makes one from measurements."""

    id: str
    dataset: str
    epoch: str
    created: str
    policy_name: str
    policy_digest: str
    guarantee: Guarantee
    users: Estimate
    conversations: Estimate
    facets: Mapping[str, tuple[FacetCount, ...]]
    topics: tuple[Topic, ...]
    audit: tuple[Verdict, ...]
    models: tuple[ModelUse, ...] = ()
