"""What the ledger says is spent and left of an epoch's budget and of its year's."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException

from sfumato.serve import wire_analysis as wire
from sfumato.serve.reading import ABSENT, Dataset, Epoch

if TYPE_CHECKING:
    from sfumato.serve.ports import Account, BudgetPort
    from sfumato.serve.reading import Reading


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

    return found


def _account(held: Account) -> wire.AccountShape:
    return wire.AccountShape.model_validate(asdict(held))
