"""What the ledger says of an epoch's and a year's budget, as the API shows it: allowed, spent, left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.epochs import span, year_of
from sfumato.model.guarantee import NANO
from sfumato.policy.schema_base import exact
from sfumato.privacy import accounting
from sfumato.serve.ports import Account, Amount, Budget, Spend

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.policy.schema import Budget as OfEpoch
    from sfumato.policy.schema import Policy, Yearly
    from sfumato.privacy.ledger import Entry, Ledger


class LedgerBudget:
    """The budget port of the API. policy: the one in force, asked each time."""

    def __init__(self, policy: Callable[[], Policy], ledger: Ledger) -> None:
        self._policy = policy
        self._ledger = ledger

    def budget(self, dataset: str, epoch: str) -> Budget | None:
        """None where the policy has no such epoch, or nothing was ever charged to the dataset."""
        policy = self._policy()
        try:
            span(epoch, policy.epoch)
        except InputError:
            return None
        if self._ledger.spent(dataset=dataset) == (0, 0):
            return None
        guarantee = policy.guarantee
        return Budget(
            epoch=_account(guarantee.budget, self._ledger.spent(dataset=dataset, epoch=epoch)),
            year=_account(guarantee.yearly, self._ledger.spent(dataset=dataset, year=year_of(epoch))),
        )

    def charges(self) -> tuple[Spend, ...]:
        """Every charge, oldest first."""
        return tuple(_spend(entry) for entry in self._ledger.entries())


def _spend(entry: Entry) -> Spend:
    return Spend(
        seq=entry.seq,
        dataset=entry.dataset,
        epoch=entry.epoch,
        purpose=entry.purpose,
        rho=entry.rho / NANO,
        delta=entry.delta / NANO,
        state=entry.state,
        policy=entry.policy,
        created=entry.created,
        analyst=entry.analyst,
    )


def _account(declared: OfEpoch | Yearly, spent: tuple[int, int]) -> Account:
    """Epsilons are what each rho alone comes to at the declared delta: they do not add up, the rhos do."""
    whole = accounting.allowance(exact(declared.epsilon), exact(declared.delta))

    def amount(rho: int, delta: int) -> Amount:
        epsilon, _ = accounting.stated(rho=rho, selection_delta=0, conversion_delta=whole.conversion_delta)
        return Amount(rho=rho / NANO, delta=delta / NANO, epsilon=epsilon)

    rho, delta = spent
    return Account(
        allowed=amount(whole.rho, whole.selection_delta),
        spent=amount(rho, delta),
        left=amount(max(0, whole.rho - rho), max(0, whole.selection_delta - delta)),
    )
