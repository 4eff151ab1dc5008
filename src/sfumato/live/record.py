"""What became of every question, in the audit log before it is answered: declared names, never a typed word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.audit.event import Charge, Event, Shape, utc
from sfumato.model.question import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Literal

    from sfumato.audit.event import Role
    from sfumato.live.design import Design
    from sfumato.live.frame import Frame
    from sfumato.live.terms import Terms
    from sfumato.model.question import Question
    from sfumato.policy.decide import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question as it stands for one epoch. question: None where it names something that is not there.

    design: of what was asked, as far as that is known; terms, frame: None where the epoch itself is unknown.
    """

    asked: Question
    epoch: str
    decision: Decision
    terms: Terms | None = None
    frame: Frame | None = None
    question: Question | None = None
    design: Design | None = None

    @property
    def rule(self) -> str:
        """What decides whether it may be answered."""
        known = self.question is not None and self.design is not None
        return self.decision.rule if known or not self.decision.allowed else "unknown"


class Record:
    """One analyst's hand in the log. append: raises StorageError where it is not on disk; then nothing is answered."""

    def __init__(
        self, append: Callable[[Event], object], now: Callable[[], datetime], *, analyst: str, role: Role, policy: str
    ) -> None:
        self._append = append
        self._now = now
        self._analyst = analyst
        self._role = role
        self._policy = policy

    def quoted(self, one: Reading) -> None:
        """That a question was quoted."""
        self._write("quote", "allow", one.rule, one)

    def denied(self, one: Reading | None, rule: str) -> None:
        """That it was not answered."""
        self._write("query", "deny", rule, one)

    def done(self, one: Reading, rule: str, *, charged: bool = False) -> None:
        """That it was charged, answered or burned; `charged` once, as that is settled."""
        self._write("query", "allow", rule, one, charged=charged)

    def _write(
        self,
        operation: Literal["query", "quote"],
        decision: Literal["allow", "deny"],
        rule: str,
        one: Reading | None,
        *,
        charged: bool = False,
    ) -> None:
        terms = None if one is None or one.frame is None else one.terms
        self._append(
            Event(
                time=utc(self._now()),
                actor=self._analyst,
                role=self._role,
                operation=operation,
                decision=decision,
                rule=rule,
                policy=self._policy,
                dataset=None if terms is None else terms.plan.dataset,
                epoch=None if terms is None else terms.plan.epoch,
                release=None if one is None or one.question is None else one.question.release,
                shape=None if one is None or one.question is None else _shape(one.question),
                charge=Charge(rho=terms.rho, delta=0) if charged and terms is not None else None,
            )
        )


def _shape(question: Question) -> Shape:
    """Of a question that was read: each of its names is declared or released."""
    return Shape(
        measure=question.measure,
        by=question.by if question.of is None else (*question.by, question.of),
        where=tuple(one.field for one in question.where),
        topics=tuple({topic for one in question.where if one.field == TOPIC for topic in one.values})[:64],
    )
