"""A live question's price and its answer, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sfumato.client.table import Table, interval, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.client.table import Kind, Row
    from sfumato.model.question import Cell, Number, Outcome
    from sfumato.model.strict_json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an answer about one epoch costs now, and what the key may still ask there (None where nothing is allowed).

    rho, epsilon, delta: zero where the same question was answered before. within_95: how far, in 95 of 100 cases, each
    number's noise reaches.
    """

    epoch: str
    allowed: bool
    reason: str
    rho: float
    epsilon: float
    delta: float
    within_95: Mapping[str, float]
    rho_left: float | None
    questions_left: int | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Quote(Table):
    """The price of a question, without any data read."""

    columns: ClassVar[Mapping[str, Kind]] = {
        "epoch": str, "allowed": str, "rho": float, "epsilon": float, "delta": float, "rho_left": float,
        "questions_left": int, "reason": str,
    }  # fmt: skip
    prices: tuple[Price, ...]

    @property
    def allowed(self) -> bool:
        """Whether every epoch asked about may be answered."""
        return all(one.allowed for one in self.prices)

    @property
    def rho(self) -> float:
        """The whole charge; rhos add up, to nine places."""
        return round(sum(one.rho for one in self.prices), 9)

    def heading(self) -> str:
        return f"Quote: rho {self.rho:g} in all, {'allowed' if self.allowed else 'not allowed'}"

    def rows(self) -> Iterator[Row]:
        for one in self.prices:
            yield {
                "epoch": one.epoch, "allowed": "yes" if one.allowed else "no", "rho": one.rho, "epsilon": one.epsilon,
                "delta": one.delta, "rho_left": one.rho_left, "questions_left": one.questions_left,
                "reason": one.reason,
            }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """About one epoch. guarantee and question: as the server states them; None where the answer is withheld."""

    dataset: str
    epoch: str
    outcome: Outcome
    digest: str | None
    question: JsonObject | None
    guarantee: JsonObject | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer(Table):
    """The answer to a question; a cell without numbers is too small, or may not be told."""

    columns: ClassVar[Mapping[str, Kind]] = {"epoch": str, "at": str, "measure": str, **spread("number", float)}
    parts: tuple[Part, ...]

    def heading(self) -> str:
        return "Answer: " + "; ".join(_said(one) for one in self.parts)

    def rows(self) -> Iterator[Row]:
        for part in self.parts:
            for cell in part.cells:
                numbers: Mapping[str, Number | None] = cell.numbers or {"": None}
                for measure, number in numbers.items():
                    yield {
                        "epoch": part.epoch, "at": " / ".join(cell.at), "measure": measure,
                        **interval("number", number),
                    }  # fmt: skip


def _said(part: Part) -> str:
    promised = part.guarantee or {}
    under = f" (ε = {promised.get('epsilon')}, δ = {promised.get('delta')} per {promised.get('unit')})"
    return f"{part.dataset} {part.epoch} {part.outcome}{under if promised else ''}"
