"""What the ledger says is spent and left of an epoch's budget and of its year's."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query

from sfumato.serve import wire_analysis as wire
from sfumato.serve.reading import ABSENT, Dataset, Epoch

if TYPE_CHECKING:
    from sfumato.serve.ports import Account, BudgetPort
    from sfumato.serve.reading import Reading

First = Annotated[int, Query(ge=0, le=2**53 - 1)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def router(reading: Reading, book: BudgetPort) -> APIRouter:
    """`/v1/budget`."""
    found = reading.router("/v1/budget", "ledger")

    @found.get("", responses=ABSENT)
    def budget(dataset: Dataset, epoch: Epoch) -> wire.BudgetShape:
        """Spent and left of the epoch and of its year, in rho and as epsilon at the policy's delta."""
        held = book.budget(dataset, epoch)
        if held is None:
            raise HTTPException(404)
        return wire.BudgetShape(epoch=_account(held.epoch), year=_account(held.year))

    @found.get("/charges")
    def charges(first: First = 0, limit: Limit = 100) -> wire.ChargesShape:
        """Every charge from number `first` on, oldest first: of releases and of questions, the burned ones too."""
        listed = [one for one in book.charges() if one.seq >= first]
        shown = [wire.ChargeShape.model_validate(asdict(one)) for one in listed[:limit]]
        return wire.ChargesShape(charges=shown, next=listed[limit].seq if len(listed) > limit else None)

    return found


def _account(held: Account) -> wire.AccountShape:
    return wire.AccountShape.model_validate(asdict(held))
