"""The sections of a policy that say what is asked of each conversation, and which answers there are."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sfumato.policy.schema_base import DomainValue, Hash, Name, Section, Stated

COMPUTED = ("language", "turns", "length", "hour")
WIDEST_SCALE = 20

Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
FacetKind = Literal["computed", "category", "multi_label", "scale", "number", "yes_no", "path"]


class TaxonomySection(Section):
    """A public tree that the operator supplies: JSON Lines, one node a line; `sha256` pins it.

    source: where it comes from or how it is made, said where it is missing. id, parent, name, description: the keys of
    a line that hold them; a node without a parent stands at the top.
    """

    file: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    sha256: Hash | None = None
    source: Stated | None = None
    id: Key = "id"
    parent: Key = "parent"
    name: Key = "name"
    description: Key = "description"


class FacetSection(Section):
    """One facet: a closed question whose every answer is known beforehand; whatever else comes back is `unknown`.

    computed: language, turns, length or hour. category: one value of the domain, read from an attribute of the record
    or asked of a model. multi_label: at most `at_most` values. scale: whole numbers of the range. number: a number put
    into the bins between these edges. yes_no. path: a node of a declared taxonomy, walked level by level.
    """

    name: Name
    kind: FacetKind = "computed"
    domain: Literal["iso639"] | Annotated[tuple[DomainValue, ...], Field(min_length=1, max_length=1000)] | None = None
    attribute: Key | None = None
    ask: Stated | None = None
    range: tuple[int, int] | None = None
    bins: Annotated[tuple[float, ...], Field(min_length=1, max_length=50)] | None = None
    at_most: Annotated[int, Field(ge=1, le=10)] | None = None
    taxonomy: TaxonomySection | None = None

    @model_validator(mode="after")
    def _closed(self) -> Self:
        self._answers()
        self._domain()
        if self.range is not None and not 1 <= self.range[1] - self.range[0] < WIDEST_SCALE:
            raise ValueError(f"a scale's range is [lowest, highest] with at most {WIDEST_SCALE} steps, such as [1, 5]")
        if self.bins is not None and any(low >= high for low, high in pairwise(self.bins)):
            raise ValueError("the edges of the bins must ascend, such as [0, 10, 100]")
        return self

    def _answers(self) -> None:
        """Who answers, and that every part the kind needs is there and no other."""
        if self.is_computed:
            if self.name not in COMPUTED:
                raise ValueError(f"nothing computes it: computed facets are {', '.join(COMPUTED)}")
            if self._given() - ({"domain"} if self.name == "language" and self.domain == "iso639" else set()):
                raise ValueError("what is computed reads no attribute and has a domain of its own; leave them out")
            return
        needed = {"multi_label": {"domain"}, "scale": {"range"}, "number": {"bins"}, "path": {"taxonomy"}}
        needs = needed.get(self.kind, set()) | (set() if self.kind == "category" else {"ask"})
        allowed = needs | {"at_most"} if self.kind in {"multi_label", "path"} else needs
        if self.kind == "category":
            needs, allowed = {"domain"}, {"domain", "ask", "attribute"}
        if self.kind == "category" and not isinstance(self.domain, tuple):
            raise ValueError("a category needs a closed domain, such as [free, pro, team]")
        if missing := needs - self._given():
            raise ValueError(f"a facet of kind {self.kind} needs {' and '.join(sorted(missing))}")
        if odd := self._given() - allowed:
            raise ValueError(f"a facet of kind {self.kind} has no {' or '.join(sorted(odd))}; leave it out")
        if self.ask is not None and self.attribute is not None:
            raise ValueError("a facet is read from an attribute or asked of a model, not both")

    def _domain(self) -> None:
        if not isinstance(self.domain, tuple):
            if self.domain == "iso639" and not self.is_computed:
                raise ValueError("iso639 is the domain of the facet `language`")
            return
        if len(set(self.domain)) != len(self.domain):
            raise ValueError("the domain names a value twice")
        if "unknown" in self.domain:
            raise ValueError("the domain always has `unknown`; leave it out")

    def _given(self) -> set[str]:
        parts = ("domain", "attribute", "ask", "range", "bins", "at_most", "taxonomy")
        return {part for part in parts if getattr(self, part) is not None}

    @property
    def is_computed(self) -> bool:
        """`language` with the domain iso639 may be written as a category; it is computed all the same."""
        return self.kind == "computed" or (self.name == "language" and self.domain == "iso639")

    @property
    def is_asked(self) -> bool:
        """Whether a model answers it."""
        return self.ask is not None

    @property
    def read_from(self) -> str | None:
        """The attribute of a record that it is read from, or None."""
        if self.kind != "category" or self.is_computed or self.is_asked:
            return None
        return self.attribute or self.name

    @property
    def several(self) -> int:
        """How many values one conversation may have. multi_label: `at_most`, or all; path: `at_most`, or one."""
        if self.kind == "multi_label":
            return self.at_most or len(self.domain or ())
        return (self.at_most or 1) if self.kind == "path" else 1
