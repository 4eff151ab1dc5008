"""What may be asked live under a policy, for a form to be made of: measures, breakdowns and their values, the price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from sfumato.policy.schema_queries import TOPIC

if TYPE_CHECKING:
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import FacetSection

MEANS = {"scale", "number"}  # kinds of facets that have a mean
UNKNOWN = "unknown"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldShape(_Shape):
    """What a question may break down and filter by. values: null where they are topics or too many to list here."""

    name: str
    kind: str
    mean: bool
    values: list[str] | None


class AskableShape(_Shape):
    """What may be asked. epsilon: what one question about an epoch states by itself; analyst: all those of one key."""

    live: bool
    unit: Literal["user", "conversation"]
    measures: list[str]
    parts: list[FieldShape]
    epsilon: float
    analyst: float


def askable(policy: Policy) -> AskableShape:
    """Of a policy; nothing in it is about any data."""
    section = policy.queries
    facets = {facet.name: facet for facet in policy.facets}
    return AskableShape(
        live=section.live,
        unit=policy.unit,
        measures=list(section.measures) if section.live else [],
        parts=[_part(name, facets.get(name)) for name in section.group_by] if section.live else [],
        epsilon=float(section.epsilon_per_query),
        analyst=float(section.per_analyst.epsilon),
    )


def _part(name: str, facet: FacetSection | None) -> FieldShape:
    if name == TOPIC or facet is None:
        return FieldShape(name=name, kind=TOPIC, mean=False, values=None)
    return FieldShape(name=name, kind=facet.kind, mean=facet.kind in MEANS, values=_values(facet))


def _values(facet: FacetSection) -> list[str] | None:
    """In the order of the domain, `unknown` last; None for domains that the policy does not spell out."""
    if facet.range is not None:
        return [*(str(step) for step in range(facet.range[0], facet.range[1] + 1)), UNKNOWN]
    if isinstance(facet.domain, tuple):
        return [*facet.domain, UNKNOWN]
    return None
