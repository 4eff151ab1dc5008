"""What questions may still use up: of the epoch, of the year, and of one analyst's own share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sfumato.live.terms import PURPOSE
from sfumato.model.epochs import epoch_of, span, year_of
from sfumato.model.guarantee import NANO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfumato.live.terms import Terms
    from sfumato.model.strict_json import JsonObject
    from sfumato.privacy.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """rho: nano units, the least that any cap leaves. questions: how many of the policy's price that pays for."""

    rho: int
    questions: int

    @classmethod
    def of(cls, ledger: Ledger, terms: Terms, analyst: str) -> Self:
        """By the same sums that the ledger refuses by."""
        plan, caps = terms.plan, terms.caps
        entries = [one for one in ledger.entries() if one.dataset == plan.dataset]
        here = [one for one in entries if one.epoch == plan.epoch]
        asked = [one for one in here if one.purpose == PURPOSE]
        year = sum(one.rho for one in entries if one.year == year_of(plan.epoch))
        left = min(
            caps.purpose_rho - sum(one.rho for one in asked),
            caps.epoch_rho - sum(one.rho for one in here),
            caps.yearly_rho - year,
            terms.analyst_rho - sum(one.rho for one in asked if one.analyst == analyst),
        )
        return cls(rho=max(left, 0), questions=max(left, 0) // terms.rho)

    def document(self) -> JsonObject:
        """As JSON; rho as a release states it."""
        return {"rho": self.rho / NANO, "questions": self.questions}


def exhausted(terms: Sequence[Terms], ledger: Ledger, analyst: str) -> JsonObject:
    """What is left of the scarcest of these epochs, and when the epoch after the last of them begins."""
    left = min((Left.of(ledger, one, analyst) for one in terms), key=lambda one: one.questions)
    length = terms[-1].policy.epoch
    begins = span(terms[-1].plan.epoch, length)[1]
    return {
        "left": left.document(),
        "next_epoch": epoch_of(begins, length),
        "begins": begins.isoformat().replace("+00:00", "Z"),
    }
