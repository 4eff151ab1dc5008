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
class Control:
    """The positive control: the same attacker where a defence is missing (`what`), and how often they succeed there.

    success: None where another command shows it, which `what` then names.
    """

    what: str
    success: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """hits of trials were successes; baseline: the share of successes of somebody who has not seen the release.

    knows: what the attacker is given. epsilon, delta: what the releases under attack stated. details: what is special
    to this attack.
    """

    attack: str
    knows: str
    hits: int
    trials: int
    baseline: float
    epsilon: float
    delta: float
    mode: Mode
    control: Control
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def success(self) -> float:
        """Share of the trials that succeeded; 0 where there were none."""
        return self.hits / self.trials if self.trials else 0.0

    def as_json(self) -> JsonObject:
        """The result as a command prints it, with the 95 % Wilson interval of the success rate."""
        control = self.control.success
        return {
            "attack": self.attack,
            "knows": self.knows,
            "success": round(self.success, PLACES),
            "baseline": round(self.baseline, PLACES),
            "interval": interval(self.hits, self.trials),
            "trials": self.trials,
            "epsilon": round(self.epsilon, PLACES),
            "delta": self.delta,
            "mode": self.mode,
            "control": {"what": self.control.what, "success": None if control is None else round(control, PLACES)},
            **self.details,
        }


def interval(hits: int, trials: int) -> list[Json]:
    """The 95 % Wilson interval of a share, rounded."""
    return [round(edge, PLACES) for edge in wilson(hits, trials)]
