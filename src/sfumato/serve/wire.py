"""What the answers look like, for the OpenAPI document: the release document's own shape and the views cut from it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class EstimateShape(Shape):
    """A noisy number with its 95 % interval."""

    value: int
    low: int
    high: int


class PhraseShape(Shape):
    """A released phrase; `users` is null where the noisy count is under the threshold."""

    text: str
    users: EstimateShape | None


class FacetShape(Shape):
    """One value of a facet; `users` is null where the noisy count is under the threshold."""

    value: str
    users: EstimateShape | None


class MapShape(Shape):
    """A place in the plane, computed from released values only."""

    x: float
    y: float


class TopicShape(Shape):
    """One topic. `level` counts from 0, the leaves."""

    id: str
    parent: str | None
    level: int
    name: str
    description: str
    phrases: list[PhraseShape]
    users: EstimateShape
    conversations: EstimateShape
    facets: dict[str, list[FacetShape]]
    map: MapShape


class MechanismShape(Shape):
    """One noisy measurement; rho, delta and share are its part of the whole."""

    name: str
    statistic: str
    mechanism: Literal["discrete_gaussian", "discrete_gaussian_threshold"]
    rho: float
    delta: float
    share: float
    sigma: float
    threshold: int | None
    l0: int
    linf: float
    l2: float
    values: int | None


class GuaranteeShape(Shape):
    """The guarantee card, in the sense of NIST SP 800-226."""

    mode: Literal["formal", "guarded"]
    unit: Literal["user", "conversation"]
    neighbouring: str
    epsilon: float
    delta: float
    rho: float
    bounds: dict[str, int]
    mechanisms: list[MechanismShape]
    covers: list[str]
    does_not_cover: list[str]


class PolicyShape(Shape):
    """Which policy the release was made under."""

    name: str
    digest: str


class TotalsShape(Shape):
    """The whole epoch."""

    users: EstimateShape
    conversations: EstimateShape


class VerdictShape(Shape):
    """What the gate decided."""

    subject: str
    rule: str
    allowed: bool


class ModelUseShape(Shape):
    """A language model that took part; the extraction's has read conversations."""

    role: Literal["extraction", "naming", "auditor"]
    model: str
    host: str


class SignatureShape(Shape):
    """Ed25519 over the canonical JSON (RFC 8785) of the document without this."""

    algorithm: Literal["Ed25519"]
    key_id: str
    public_key: str
    value: str


class ReleaseShape(Shape):
    """The whole signed document."""

    format: Literal["sfumato.release/1"]
    id: str
    dataset: str
    epoch: str
    created: str
    policy: PolicyShape
    guarantee: GuaranteeShape
    totals: TotalsShape
    facets: dict[str, list[FacetShape]]
    topics: list[TopicShape]
    audit: list[VerdictShape]
    models: list[ModelUseShape] = []
    signature: SignatureShape


class PromiseShape(Shape):
    """The guarantee in short, repeated with every answer that holds numbers."""

    mode: Literal["formal", "guarded"]
    unit: Literal["user", "conversation"]
    epsilon: float
    delta: float


class SummaryShape(PromiseShape):
    """A release in a list."""

    id: str
    dataset: str
    epoch: str
    created: str
    topics: int


class SummariesShape(Shape):
    """One page of releases, newest first. `next` is the cursor of the page after it, null on the last."""

    releases: list[SummaryShape]
    next: str | None


class BranchShape(Shape):
    """A topic and what lies below it."""

    id: str
    level: int
    name: str
    users: EstimateShape
    conversations: EstimateShape
    children: list[BranchShape]


class TreeShape(Shape):
    """The topics of a release as a tree."""

    release: str
    guarantee: PromiseShape
    topics: list[BranchShape]


class OneTopicShape(Shape):
    """One topic of a release."""

    release: str
    guarantee: PromiseShape
    topic: TopicShape


class CardShape(Shape):
    """The guarantee of a release."""

    release: str
    policy: PolicyShape
    guarantee: GuaranteeShape


class SectionShape(Shape):
    """A heading and its sentences."""

    title: str
    lines: list[str]


class ExplanationShape(Shape):
    """The policy in force in plain words."""

    digest: str
    sections: list[SectionShape]


class StateShape(Shape):
    """The server's own state."""

    status: Literal["ok"]
