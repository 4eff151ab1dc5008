"""PUBLIC. What a question is read against: facets, their values, released topics; and the form its synonyms share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.question import TOPIC, Filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.extract.facets import Facet
    from sfumato.model.question import Question
    from sfumato.model.release import Release
    from sfumato.topics.assignment import Assignment

HALF = 2**15  # fixed-point steps from the middle of a facet's range to its ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One breakdown. labels: its values in a fixed order; several: how many of them one conversation may have.

    label_of: for topics, the label of each place, -1 for none, one -1 more at the end; None where codes are labels.
    """

    name: str
    labels: tuple[str, ...]
    several: int
    label_of: NDArray[np.int16] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The numbers behind a facet's values: lowest and highest, and each value's place between them in steps.

    steps: (values,) from -HALF to HALF; `unknown`, the last value, has none and is not among them.
    """

    lowest: float
    highest: float
    steps: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Of one epoch and one release's topics. levels: of each released topic, in the order of the release.

    reach: conversations of one unit that count in full, as the release of the epoch bounded them.
    """

    facets: Mapping[str, Facet]
    reach: int
    levels: Mapping[str, int] = field(default_factory=dict)
    assignment: Assignment | None = None

    def axis(self, name: str, level: int) -> Axis | None:
        """A breakdown by this name; None where there is none."""
        if name != TOPIC:
            facet = self.facets.get(name)
            return None if facet is None else Axis(name=name, labels=facet.domain, several=facet.at_most)
        if self.assignment is None:
            return None
        labels = tuple(topic for topic, height in self.levels.items() if height == level)
        number = {topic: place for place, topic in enumerate(labels)}
        label_of = [next((number[one] for one in path if one in number), -1) for path in self.assignment.paths]
        return Axis(
            name=name, labels=labels, several=self.assignment.at_most, label_of=np.asarray([*label_of, -1], np.int16)
        )

    def axes(self, question: Question) -> list[Axis] | None:
        """All breakdowns of a question; None where one of them is unknown."""
        found = [self.axis(name, question.level) for name in question.by]
        return None if None in found or any(not one.labels for one in found if one) else [one for one in found if one]

    def passing(self, one: Filter) -> NDArray[np.bool_]:
        """Which codes of a facet, or places, a known filter lets through, with one False more at the end for none."""
        wanted = set(one.values)
        if one.field == TOPIC and self.assignment is not None:
            held = [not wanted.isdisjoint(path) for path in self.assignment.paths]
        else:
            held = [value in wanted for value in self.facets[one.field].domain]
        return np.asarray([*held, False], np.bool_)

    def scale(self, name: str) -> Scale | None:
        """The numbers behind a facet's values; None where it is unknown or has none.

        A bin counts as its middle, an open one as its edge.
        """
        facet = self.facets.get(name)
        if facet is None or facet.kind not in {"scale", "number"}:
            return None
        if facet.kind == "scale":
            values = [float(value) for value in facet.domain[:-1]]
        else:
            edges = facet.edges
            values = [edges[0], *((low + high) / 2 for low, high in pairwise(edges)), edges[-1]]
        lowest, highest = values[0], values[-1]
        if not lowest < highest:
            return None
        steps = np.rint((np.asarray(values) - (lowest + highest) / 2) * (2 * HALF / (highest - lowest)))
        return Scale(lowest=lowest, highest=highest, steps=np.clip(steps, -HALF, HALF).astype(np.int64))

    def read(self, question: Question) -> Question | None:
        """The one form of a tidy question that all its synonyms share here; None where it names something unknown.

        Of a facet with one value each, filters on it are put together, and one that lets every value through goes.
        """
        if self.axes(question) is None or (question.of is not None and self.scale(question.of) is None):
            return None
        if not all(self._knows(one) for one in question.where):
            return None
        if question.asks_topics and self.assignment is not None:
            question = replace(question, release=self.assignment.release)
        return replace(question, where=tuple(self._together(question.where)))

    def _knows(self, one: Filter) -> bool:
        if one.field == TOPIC:
            return self.assignment is not None and set(one.values) <= set(self.levels)
        return one.field in self.facets and set(one.values) <= set(self.facets[one.field].domain)

    def _together(self, where: Sequence[Filter]) -> list[Filter]:
        alone: dict[str, set[str]] = {}
        found = []
        for one in where:
            if one.field == TOPIC or self.facets[one.field].at_most > 1:
                found.append(one)
            else:
                alone[one.field] = alone.get(one.field, set(one.values)) & set(one.values)
        found += [
            Filter(field=name, values=tuple(sorted(values)))
            for name, values in alone.items()
            if len(values) < len(self.facets[name].domain)
        ]
        return sorted(found, key=lambda one: (one.field, one.values))


def topic_levels(release: Release) -> dict[str, int]:
    """Level of each topic, in the order of the release."""
    return {topic.id: topic.level for topic in release.topics}
