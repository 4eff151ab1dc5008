"""What the read API asks of others: where releases lie, who may do what, what is spent, what words mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.policy.schema import Operation
    from sfumato.serve.access import Decision
    from sfumato.serve.store import Stored

    EmbedPort = Callable[[Sequence[str]], NDArray[np.floating]]
    """Sentence vectors of n texts, (n, d), in their order; the texts are not kept, logged or named in an error."""


class Releases(Protocol):
    """What holds the releases."""

    def releases(self) -> tuple[Stored, ...]:
        """Every release that may be served, newest first."""

    def get(self, release_id: str) -> Stored | None:
        """One release, or None."""


class Gatekeeper(Protocol):
    """What decides who may do what."""

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """One decision with its reason."""

    def check(self) -> None:
        """Raises StorageError where the keys can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Privacy loss three ways. epsilon: what this rho alone converts to at the policy's delta."""

    rho: float
    delta: float
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One budget: what the policy allows, what is charged, what is left (never below zero)."""

    allowed: Amount
    spent: Amount
    left: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The two budgets that a charge must fit in."""

    epoch: Account
    year: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """One charge. analyst: id of the key that asked; None for a release."""

    seq: int
    dataset: str
    epoch: str
    purpose: str
    rho: float
    delta: float
    state: str
    policy: str
    created: str
    analyst: str | None


class BudgetPort(Protocol):
    """What reads the ledger, and can't write it."""

    def budget(self, dataset: str, epoch: str) -> Budget | None:
        """What stands in the ledger; None where it has no charge of this dataset, or no such epoch can be.

        Raises:
            StorageError: the ledger can't be read.
        """

    def charges(self) -> Sequence[Spend]:
        """Every charge, oldest first.

        Raises:
            StorageError: the ledger can't be read.
        """
