"""Two released numbers side by side: which they are, their difference, and what may be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.serve import intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfumato.model.release import Estimate, FacetCount, Release, Topic
    from sfumato.serve.intervals import Interval
    from sfumato.serve.wire_analysis import Verdict

Measure = Literal["users", "conversations", "share"]
METHODS: Mapping[Measure, str] = {
    "users": "difference of two Gaussians with independent noise",
    "conversations": "difference of two Gaussians with independent noise",
    "share": "Fieller's theorem for each share, MOVER for their difference",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which number of a release: of the whole or a topic, all of it or one value of a facet."""

    release: str
    topic: str | None = None
    facet: str | None = None
    value: str | None = None

    def whole(self) -> Question:
        """What a share of this is a share of."""
        return Question(release=self.release, topic=self.topic if self.facet else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A released number and what it is a part of; `part` is None under the threshold."""

    question: Question
    part: Estimate | None
    whole: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is released of both sides and of their difference, and the verdict."""

    a: Interval | None
    b: Interval | None
    difference: Interval | None
    verdict: Verdict


def topic_of(release: Release, topic_id: str) -> Topic | None:
    """A topic by its id, or None."""
    return next((topic for topic in release.topics if topic.id == topic_id), None)


def cell(release: Release, question: Question, measure: Measure) -> Cell | None:
    """The number a question means; None where the release has no such topic, facet or value."""
    place: Release | Topic | None = release if question.topic is None else topic_of(release, question.topic)
    if place is None:
        return None
    if question.facet is None:
        part = place.conversations if measure == "conversations" else place.users
        return Cell(question=question, part=part, whole=release.users)
    counts: Sequence[FacetCount] = place.facets.get(question.facet, ())
    found = next((one for one in counts if one.value == question.value), None)
    return None if found is None else Cell(question=question, part=found.users, whole=place.users)


def compared(a: Cell, b: Cell, measure: Measure) -> Comparison:
    """One against the other. A number is no different from itself; one under the threshold can't be compared."""
    if a.part is None or b.part is None:
        shown = [None if side.part is None else _number(side.part, side.whole, measure) for side in (a, b)]
        return Comparison(a=shown[0], b=shown[1], difference=None, verdict="can't be compared: suppressed")
    first, second = _number(a.part, a.whole, measure), _number(b.part, b.whole, measure)
    if a.question == b.question:
        apart: Interval | None = intervals.Interval(value=0.0, low=0.0, high=0.0)
    elif measure != "share":
        apart = intervals.difference(a.part, b.part)
    elif first is None or second is None:
        apart = None
    else:
        opposed = a.question.whole() == b.question or b.question.whole() == a.question
        apart = intervals.difference_of_ratios(first, second, opposed=opposed)
    return Comparison(a=first, b=second, difference=apart, verdict=verdict(apart))


def verdict(difference: Interval | None) -> Verdict:
    """What may be said of a difference. Without an interval, nothing: the noise allows any."""
    if difference is None or difference.low <= 0 <= difference.high:
        return "no difference that the noise allows"
    return "a is larger" if difference.low > 0 else "b is larger"


def _number(part: Estimate, whole: Estimate, measure: Measure) -> Interval | None:
    return intervals.ratio(part, whole) if measure == "share" else intervals.plain(part)
