"""What comparisons, breakdowns, trends, searches and budgets look like, asked and answered, for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from sfumato.serve import wire

ReleaseName = Annotated[str, StringConstraints(pattern=r"^rel_[0-9a-f]{20}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_BY_MEASURE = Field(discriminator="measure")


def _no_null(value: object) -> object:
    """Leave out what is not asked for: null is no id."""
    if value is None:
        raise PydanticCustomError("null", "null")
    return value


def whole(value: object) -> object:
    """In JSON Schema 10.0 is an integer like any other."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=1, le=50), BeforeValidator(whole)]
Topic = Annotated[TopicName | SkipJsonSchema[None], BeforeValidator(_no_null)]


class Asked(BaseModel):
    """A question: exactly these fields, no conversion, and errors that do not repeat it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class FacetNameShape(wire.Shape):
    """A facet that the release breaks down by, overall or in some topics too."""

    name: str
    values: int
    topics: int


class FacetsShape(wire.Shape):
    """The facets of a release; `topics` counts the topics that are broken down by it."""

    release: str
    guarantee: wire.PromiseShape
    facets: list[FacetNameShape]


class RatioShape(wire.Shape):
    """A share (0 to 1), or on a side of a comparison any number, with its 95 % interval."""

    value: float
    low: float
    high: float


class PartShape(wire.Shape):
    """One value of the domain. `users` is null under the threshold, `share` too, or where no interval bounds it."""

    value: str
    users: wire.EstimateShape | None
    share: RatioShape | None


class BreakdownShape(wire.Shape):
    """A facet of a release, or of one topic: every value of the domain in its order.

    `share` is users of the value over `whole`; a user may count in several values, so shares can add up to over 1.
    """

    release: str
    guarantee: wire.PromiseShape
    facet: str
    topic: str | None
    whole: wire.EstimateShape
    values: list[PartShape]


class WholeSide(Asked):
    """A release, or one topic of it."""

    release: ReleaseName
    topic: Topic = None


class TopicSide(Asked):
    """A topic of a release; its share is of the release."""

    release: ReleaseName
    topic: TopicName


class PartSide(Asked):
    """One value of a facet, in a release or in one topic of it; its share is of that release or topic."""

    release: ReleaseName
    topic: Topic = None
    facet: Word
    value: Word


class CompareUsers(Asked):
    """Compare numbers of users."""

    measure: Literal["users"]
    a: WholeSide | PartSide
    b: WholeSide | PartSide


class CompareConversations(Asked):
    """Compare numbers of conversations; facets have none."""

    measure: Literal["conversations"]
    a: WholeSide
    b: WholeSide


class CompareShares(Asked):
    """Compare shares of users."""

    measure: Literal["share"]
    a: TopicSide | PartSide
    b: TopicSide | PartSide


class CompareShape(RootModel[Annotated[CompareUsers | CompareConversations | CompareShares, _BY_MEASURE]]):
    """Compare one released number with another."""


class DifferenceShape(wire.Shape):
    """a - b with its 95 % interval, in people, conversations or parts of 1."""

    value: float
    low: float
    high: float


Verdict = Literal["no difference that the noise allows", "a is larger", "b is larger", "can't be compared: suppressed"]


class SideShape(wire.Shape):
    """One side as released; null where it is under the threshold, or where no interval bounds the share."""

    guarantee: wire.PromiseShape
    number: RatioShape | None


class ComparisonShape(wire.Shape):
    """The difference; null where a side is suppressed, or too uncertain a share to have an interval."""

    measure: Literal["users", "conversations", "share"]
    a: SideShape
    b: SideShape
    difference: DifferenceShape | None
    verdict: Verdict
    method: str


class SearchShape(Asked):
    """A search over what one release says. The text is read, never kept."""

    release: ReleaseName
    text: Text
    limit: Count = 10


class FoundShape(wire.Shape):
    """A topic that answers. score: 0 to 1. where: in which of its texts; `meaning` where only the vectors agree."""

    topic: str
    parent: str | None
    level: int
    name: str
    users: wire.EstimateShape
    score: float
    where: Literal["name", "phrase", "description", "meaning"]


class FindingsShape(wire.Shape):
    """Topics that answer a search, best first."""

    release: str
    guarantee: wire.PromiseShape
    matching: Literal["semantic", "lexical"]
    topics: list[FoundShape]


class PointShape(wire.Shape):
    """A topic in one release. matched: by the same id, or by the same name."""

    release: str
    epoch: str
    created: str
    guarantee: wire.PromiseShape
    topic: str
    name: str
    users: wire.EstimateShape
    conversations: wire.EstimateShape
    matched: Literal["id", "name"]


class TrendShape(wire.Shape):
    """A topic over the releases of a dataset, in the order of their epochs.

    matching: `id` where every release declares its topics, `name` where none does, `id and name` where some do.
    """

    dataset: str
    topic: str
    name: str
    matching: Literal["id", "name", "id and name"]
    releases: int
    points: list[PointShape]


class GrownShape(wire.Shape):
    """A topic known again in the release before. change: growth of its users as a part (0.1: a tenth more)."""

    topic: str
    before: str
    change: RatioShape | None


class GrowthShape(wire.Shape):
    """Growth of topics since the release of the epoch before; null and no topics where there is none."""

    release: str
    guarantee: wire.PromiseShape
    before: str | None
    epoch: str | None
    topics: list[GrownShape]


class AmountShape(wire.Shape):
    """Privacy loss. epsilon: what this rho alone converts to at the policy's delta; such epsilons do not add up."""

    rho: float
    delta: float
    epsilon: float


class AccountShape(wire.Shape):
    """One budget."""

    allowed: AmountShape
    spent: AmountShape
    left: AmountShape


class ChargeShape(wire.Shape):
    """One charge of the ledger. analyst: id of the key whose question it was; null for a release."""

    seq: int
    dataset: str
    epoch: str
    purpose: str
    rho: float
    delta: float
    state: str
    policy: str
    created: str
    analyst: str | None


class ChargesShape(wire.Shape):
    """Charges, oldest first. `next`: where to go on, null at the end."""

    charges: list[ChargeShape]
    next: int | None


class BudgetShape(wire.Shape):
    """The budgets of an epoch and of its year."""

    epoch: AccountShape
    year: AccountShape
