"""Tokens and money: what was used, what is promised to calls in flight, and the cap that no call may pass."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sfumato.adapters.prices import Tariff
    from sfumato.model.prompt import Usage

Verdict = Literal["yes", "wait", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What one model has used so far: replies, tokens, US dollars (None where its price is unknown)."""

    replies: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    dollars: Decimal | None = Decimal(0)

    def plus(self, usage: Usage, dollars: Decimal | None) -> Spend:
        """With one reply more."""
        return Spend(
            replies=self.replies + 1,
            input=self.input + usage.input,
            output=self.output + usage.output,
            cache_read=self.cache_read + usage.cache_read,
            cache_write=self.cache_write + usage.cache_write,
            dollars=None if self.dollars is None or dollars is None else self.dollars + dollars,
        )


class Meter:
    """One per job, shared by its models and safe to share between threads.

    cap: US dollars that the job may cost, all runs together; None for no cap. spent_before: what earlier runs of the
    job came to (their `at_most`). A call is let out only if the cap would hold even at its dearest; one that got no
    answer, and may have been billed all the same, stays counted at its dearest.
    """

    def __init__(self, *, cap: Decimal | None = None, spent_before: Decimal = Decimal(0)) -> None:
        self.cap = cap
        self._lock = threading.Lock()
        self._before = spent_before
        self._spent = Decimal(0)
        self._lost = Decimal(0)
        self._held = Decimal(0)
        self._calls = 0
        self._models: dict[str, Spend] = {}

    def admit(self, worst: Decimal) -> Verdict:
        """`yes`: it is reserved. `wait`: it may fit once the calls in flight have arrived. `no`: it never will."""
        with self._lock:
            if self.cap is not None and worst > 0 and self._total() + worst > self.cap:
                return "wait" if self._calls else "no"
            self._held += worst
            self._calls += 1
            return "yes"

    def settle(self, worst: Decimal) -> None:
        """A reservation ends: answered (then `count` its usage), or surely not billed."""
        with self._lock:
            self._held -= worst
            self._calls -= 1

    def lose(self, worst: Decimal) -> None:
        """A reservation ends without an answer: it may be on the bill, so it counts in full."""
        with self._lock:
            self._held -= worst
            self._calls -= 1
            self._lost += worst

    def count(self, model: str, usage: Usage, tariff: Tariff | None, *, regional: bool = False) -> None:
        """The usage of one reply; regional: its inference was bound to one region."""
        dollars = None if tariff is None else tariff.cost(usage, regional=regional)
        with self._lock:
            self._models[model] = self._models.get(model, Spend()).plus(usage, dollars)
            self._spent += dollars or Decimal(0)

    @property
    def room(self) -> Decimal | None:
        """US dollars that could still be reserved now; None without a cap."""
        with self._lock:
            return None if self.cap is None else self.cap - self._total()

    @property
    def spent(self) -> Decimal:
        """US dollars of all replies that came, earlier runs included, as far as prices are known."""
        with self._lock:
            return self._before + self._spent

    @property
    def at_most(self) -> Decimal:
        """`spent`, and what calls without an answer may have cost: the figure to resume with."""
        with self._lock:
            return self._total()

    def by_model(self) -> dict[str, Spend]:
        """What each model has used in this run."""
        with self._lock:
            return dict(self._models)

    def _total(self) -> Decimal:
        return self._before + self._spent + self._lost + self._held
