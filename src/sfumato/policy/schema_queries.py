"""The section of a policy that says which live questions may be asked, and what each of them may use up."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sfumato.policy.schema_base import Name, Positive, Section

Measure = Literal["users", "conversations", "mean"]
TOPIC = "topic"  # as a breakdown or filter: the released topics


class PerAnalyst(Section):
    """What the questions of one API key may use up of an epoch, within the share of all queries."""

    epsilon: Positive = 0.5


class Queries(Section):
    """Live questions. group_by: `topic` and facets that a question may break down by, filter by, or take the mean of.

    epsilon_per_query: what one question, about one epoch, would state if it were the only one. most_per_minute: of one
    API key, stored answers included.
    """

    live: bool = False
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = ("users",)
    group_by: Annotated[tuple[Name, ...], Field(max_length=21)] = ()
    epsilon_per_query: Positive = 0.05
    per_analyst: PerAnalyst = PerAnalyst()
    most_per_minute: Annotated[int, Field(ge=1, le=6000)] = 60

    @model_validator(mode="after")
    def _once(self) -> Self:
        for what, names in (("measures", self.measures), ("group_by", self.group_by)):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} names one of them twice")
        return self
