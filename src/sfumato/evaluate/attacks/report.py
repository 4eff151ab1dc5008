"""What every attack reports: how often it succeeded, how often guessing would have, and under which guarantee."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfumato.evaluate.auditor import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.model.guarantee import Mode
    from sfumato.model.strict_json import Json, JsonObject

PLACES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """hits of trials were successes; baseline: the share of successes of somebody who has not seen the release.

    epsilon, delta: what the releases under attack stated. details: what is special to this attack.
    """

    attack: str
    hits: int
    trials: int
    baseline: float
    epsilon: float
    delta: float
    mode: Mode
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def success(self) -> float:
        """Share of the trials that succeeded; 0 where there were none."""
        return self.hits / self.trials if self.trials else 0.0

    def as_json(self) -> JsonObject:
        """The result as a command prints it, with the 95 % Wilson interval of the success rate."""
        return {
            "attack": self.attack,
            "success": round(self.success, PLACES),
            "baseline": round(self.baseline, PLACES),
            "interval": interval(self.hits, self.trials),
            "trials": self.trials,
            "epsilon": round(self.epsilon, PLACES),
            "delta": self.delta,
            "mode": self.mode,
            **self.details,
        }


def interval(hits: int, trials: int) -> list[Json]:
    """The 95 % Wilson interval of a share, rounded."""
    return [round(edge, PLACES) for edge in wilson(hits, trials)]
