"""What the server works out from released numbers: lists, breakdowns, comparisons, searches, trends, budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sfumato.client.table import Table, interval, spread, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.client.signed import Promise
    from sfumato.client.table import Kind, Row
    from sfumato.model.question import Number
    from sfumato.model.release import Estimate

Measure = Literal["users", "conversations", "share"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Summary:
    """A release in a list."""

    id: str
    dataset: str
    epoch: str
    created: str
    topics: int
    promise: Promise

    def __repr__(self) -> str:
        return f"<{self.id}: {self.dataset} {self.epoch}, {self.topics} topics, {self.promise}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One value of a facet; None where it is withheld."""

    value: str
    users: Estimate | None
    share: Number | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Breakdown(Table):
    """A facet of a release, or of one topic. A share is users of the value over users of the whole."""

    columns: ClassVar[Mapping[str, Kind]] = {"value": str, **spread("users", int), **spread("share", float)}
    release: str
    promise: Promise
    facet: str
    topic: str | None
    whole: Estimate
    values: tuple[Part, ...]

    def heading(self) -> str:
        where = f"topic {self.topic} of {self.release}" if self.topic else self.release
        return f"{self.facet} in {where}, of {told(self.whole)} users ({self.promise})"

    def rows(self) -> Iterator[Row]:
        for one in self.values:
            yield {"value": one.value, **interval("users", one.users), **interval("share", one.share)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared: a release, one topic of it, or one value of a facet in either."""

    release: str
    topic: str | None = None
    facet: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Table):
    """a - b; None where a side is withheld, or has no interval."""

    columns: ClassVar[Mapping[str, Kind]] = {"what": str, **spread("number", float)}
    measure: Measure
    a: Number | None
    b: Number | None
    difference: Number | None
    promises: tuple[Promise, Promise]
    verdict: str
    method: str

    def heading(self) -> str:
        first, second = self.promises
        under = str(first) if first == second else f"a: {first}; b: {second}"
        return f"{self.measure}: {self.verdict} ({under})"

    def rows(self) -> Iterator[Row]:
        for what, number in (("a", self.a), ("b", self.b), ("a - b", self.difference)):
            yield {"what": what, **interval("number", number)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A topic that answers a search. score: 0 to 1. where: in which of its texts."""

    topic: str
    parent: str | None
    level: int
    name: str
    users: Estimate
    score: float
    where: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Findings(Table):
    """Topics that answer a search, best first."""

    columns: ClassVar[Mapping[str, Kind]] = {
        "name": str, **spread("users", int), "score": float, "where": str, "topic": str, "parent": str, "level": int,
    }  # fmt: skip
    release: str
    promise: Promise
    matching: str
    topics: tuple[Found, ...]

    def heading(self) -> str:
        return f"{len(self.topics)} topics found in {self.release}, {self.matching} search ({self.promise})"

    def rows(self) -> Iterator[Row]:
        for one in self.topics:
            yield {
                "name": one.name, **interval("users", one.users), "score": one.score, "where": one.where,
                "topic": one.topic, "parent": one.parent, "level": one.level,
            }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A topic in one release. matched: by the same id, or by the same name."""

    release: str
    epoch: str
    created: str
    promise: Promise
    topic: str
    name: str
    users: Estimate
    conversations: Estimate
    matched: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trend(Table):
    """A topic over the releases of a dataset, in the order of their epochs."""

    columns: ClassVar[Mapping[str, Kind]] = {
        "epoch": str, **spread("users", int), **spread("conversations", int), "release": str, "topic": str, "name": str,
        "matched": str, "epsilon": float, "delta": float,
    }  # fmt: skip
    dataset: str
    topic: str
    name: str
    matching: str
    releases: int
    points: tuple[Point, ...]

    def heading(self) -> str:
        kept = f"{len(self.points)} of {self.releases} releases have it, matched by {self.matching}"
        return f"{self.name} in {self.dataset}: {kept}"

    def rows(self) -> Iterator[Row]:
        for one in self.points:
            yield {
                "epoch": one.epoch, **interval("users", one.users), **interval("conversations", one.conversations),
                "release": one.release, "topic": one.topic, "name": one.name, "matched": one.matched,
                "epsilon": one.promise.epsilon, "delta": one.promise.delta,
            }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Privacy loss. epsilon: what this rho alone converts to at the policy's delta; such epsilons do not add up."""

    rho: float
    delta: float
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One budget."""

    allowed: Amount
    spent: Amount
    left: Amount


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Budget(Table):
    """The budgets of an epoch and of its year; a charge must fit in both."""

    columns: ClassVar[Mapping[str, Kind]] = {"of": str, "what": str, "rho": float, "delta": float, "epsilon": float}
    dataset: str
    name: str
    epoch: Account
    year: Account

    def heading(self) -> str:
        return f"Budget of {self.dataset} {self.name}"

    def rows(self) -> Iterator[Row]:
        for of, account in (("epoch", self.epoch), ("year", self.year)):
            for what, one in (("allowed", account.allowed), ("spent", account.spent), ("left", account.left)):
                yield {"of": of, "what": what, "rho": one.rho, "delta": one.delta, "epsilon": one.epsilon}
