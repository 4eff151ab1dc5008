"""What a discovery may spend and on what: bounds per user, and the split of rho and delta between its measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY_WEIGHT = 12, 22
AMPLE = 80_000_000  # nano rho; epsilon 2 at a delta of one in a million
LEVELS = 3  # of the tree: a charge by topic is shared between them

# Relative weights of the measurements; a step that a release does not need leaves its share to the others.
WEIGHTS = {
    "people": 2,
    "conversations": 1,
    "vocabulary": 0,  # shared with `refine`: see `_vocabulary_weight`
    "places": 8,
    "refine": 84,
    "leaf users": 7,
    "middle users": 1,
    "top users": 1,
    "leaf conversations": 3,
    "middle conversations": 1,
    "top conversations": 1,
    "topic phrases": 2,
    "facets": 3,
    "facets by topic": 3,
}


DISCOVERY = frozenset({"vocabulary", "places", "refine", "topic phrases"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """Bounds and budget of one discovery.

    phrases_per_user, topics_per_user: keys one unit may touch (l0). conversations_per_user: rows one unit may have, as
    `bounds.bound` enforced it (1 where the unit is the conversation). min_users: the policy's threshold, a hint here:
    the gate enforces it. rho, delta: nano units, never exceeded. leaves: wanted number of leaf topics; None derives it
    from the noisy number of users. overall_only: facets too wide to be counted in every topic. screened: whether the
    units that the screener left out are counted too.
    """

    phrases_per_user: int = 6
    topics_per_user: int = 5
    conversations_per_user: int = 20
    min_users: int = 50
    rho: int
    delta: int
    leaves: int | None = None
    overall_only: frozenset[str] = frozenset()
    screened: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds that bound nothing.

        Raises:
            ValueError: a bound or the budget is not positive.
        """
        bounds = (self.phrases_per_user, self.topics_per_user, self.conversations_per_user, self.rho, self.delta)
        if min(bounds) < 1 or (self.leaves is not None and self.leaves < 1):
            raise ValueError("every bound of a topic plan, its rho and its delta must be at least 1")

    def charges(self, facets: Sequence[str]) -> dict[str, int]:
        """Rho of each measurement in nano units, at least 3 each; the sum stays within `rho`.

        Raises:
            ValueError: rho is too small to give every measurement a few nano units.
        """
        weights = dict(WEIGHTS)
        weights["vocabulary"] = _vocabulary_weight(self.rho)
        weights["refine"] -= weights["vocabulary"]
        return self._shared(weights, facets)

    def counting_charges(self, facets: Sequence[str]) -> dict[str, int]:
        """The same where topics are not discovered by measurements: all of rho counts.

        Raises:
            ValueError: as `charges`.
        """
        return self._shared({step: weight for step, weight in WEIGHTS.items() if step not in DISCOVERY}, facets)

    def _shared(self, weights: dict[str, int], facets: Sequence[str]) -> dict[str, int]:
        if self.conversations_per_user == 1:
            for step in ("conversations", "leaf conversations", "middle conversations", "top conversations"):
                del weights[step]
        overall, by_topic = weights.pop("facets"), weights.pop("facets by topic")
        for facet in facets:
            weights[f"facet {facet}"] = overall
            if facet not in self.overall_only:
                weights[f"facet {facet} by topic"] = by_topic
        if self.screened:
            weights["screen"] = 1
        total = sum(weights.values())
        charges = {step: self.rho * weight // total for step, weight in weights.items()}
        if min(charges.values()) < LEVELS:
            raise ValueError("the budget of this release is too small for its measurements; raise epsilon or its share")
        return charges


def _vocabulary_weight(rho: int) -> int:
    """A quarter of what finds topics while the budget is small; less where enough phrases clear their threshold anyway.

    The threshold falls with the root of the charge, and so does what more of it would add.
    """
    least, most = VOCABULARY_WEIGHT
    return max(least, min(most, round(most * math.sqrt(AMPLE / rho))))
