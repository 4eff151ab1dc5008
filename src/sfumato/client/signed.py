"""A release whose signature was checked, and what is cut from it here: its tree, one topic, its guarantee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sfumato.client.table import Table, interval, spread, told
from sfumato.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.client.table import Kind, Row
    from sfumato.model.guarantee import Guarantee, Mode, Unit
    from sfumato.model.release import Estimate, Release, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The guarantee in short; it stands beside every number."""

    mode: Mode
    unit: Unit
    epsilon: float
    delta: float

    def __str__(self) -> str:
        kind = "" if self.mode == "formal" else "guarded, names carry no formal guarantee: "
        return f"{kind}ε = {self.epsilon:.4g}, δ = {self.delta:.2g} per {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A topic and the topics below it, the largest first."""

    topic: Topic
    children: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tree(Table):
    """The topics of a release under their parents, the largest first."""

    columns: ClassVar[Mapping[str, Kind]] = {
        "name": str, **spread("users", int), **spread("conversations", int), "topic": str, "parent": str, "level": int,
    }  # fmt: skip
    release: str
    promise: Promise
    branches: tuple[Branch, ...]

    def heading(self) -> str:
        return f"Topics of {self.release} ({self.promise})"

    def rows(self) -> Iterator[Row]:
        return (_topic_row(one.topic) for _, one in self.walk())

    def shown(self) -> Iterator[Row]:
        return ({**_topic_row(one.topic), "name": "  " * depth + one.topic.name} for depth, one in self.walk())

    def walk(self) -> Iterator[tuple[int, Branch]]:
        """Every branch with its depth, parents before children."""
        return _walk(self.branches, 0)

    def under(self, topic: str | None) -> tuple[Branch, ...]:
        """The branches right below a topic, or the top ones.

        Raises:
            InputError: there is no such topic.
        """
        if topic is None:
            return self.branches
        for _, one in self.walk():
            if one.topic.id == topic:
                return one.children
        raise InputError("the release has no topic of this id; browse its tree for those it has")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OneTopic(Table):
    """One topic of a release with its phrases and breakdowns."""

    columns: ClassVar[Mapping[str, Kind]] = {"kind": str, "value": str, **spread("users", int)}
    release: str
    promise: Promise
    topic: Topic

    def heading(self) -> str:
        one = self.topic
        numbers = f"{told(one.users)} users, {told(one.conversations)} conversations"
        return f"{one.name} ({one.id} of {self.release}): {numbers} ({self.promise}). {one.description}"

    def rows(self) -> Iterator[Row]:
        for phrase in self.topic.phrases:
            yield {"kind": "phrase", "value": phrase.text, **interval("users", phrase.users)}
        for name, counts in self.topic.facets.items():
            for one in counts:
                yield {"kind": name, "value": one.value, **interval("users", one.users)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Card(Table):
    """The guarantee of a release: what was measured, and how much each measurement may tell of one unit."""

    columns: ClassVar[Mapping[str, Kind]] = {
        "name": str, "statistic": str, "kind": str, "rho": float, "delta": float, "sigma": float, "threshold": int,
    }  # fmt: skip
    release: str
    policy_name: str
    policy_digest: str
    guarantee: Guarantee

    def heading(self) -> str:
        found = self.guarantee
        return f"Guarantee of {self.release} under policy {self.policy_name}: {promise(found)}; {found.neighbouring}"

    def rows(self) -> Iterator[Row]:
        for one in self.guarantee.mechanisms:
            yield {
                "name": one.name,
                "statistic": one.statistic,
                "kind": one.kind,
                "rho": one.rho / 1e9,
                "delta": one.delta / 1e9,
                "sigma": one.sigma,
                "threshold": one.threshold,
            }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SignedRelease(Table):
    """A release. signer: id of the key that signed it. pinned: it is the key that the client was told to expect.

    body: the document, byte for byte as it was signed and sent.
    """

    columns: ClassVar[Mapping[str, Kind]] = Tree.columns
    release: Release
    body: bytes
    signer: str
    pinned: bool

    @property
    def id(self) -> str:
        """`rel_` and 20 hexadecimal digits, which follow from the content."""
        return self.release.id

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All topics, in the order of the document."""
        return self.release.topics

    @property
    def users(self) -> Estimate:
        """Users of the whole epoch."""
        return self.release.users

    @property
    def guarantee(self) -> Guarantee:
        """What is promised for every number and name in it."""
        return self.release.guarantee

    def heading(self) -> str:
        made, whose = self.release, "the expected key" if self.pinned else "a key that was not pinned"
        return (
            f"{made.id}, {made.dataset} {made.epoch}: {len(made.topics)} topics, {told(made.users)} users "
            f"({promise(made.guarantee)}), signed by {whose} ({self.signer})"
        )

    def rows(self) -> Iterator[Row]:
        return self.tree().rows()

    def shown(self) -> Iterator[Row]:
        return self.tree().shown()

    def tree(self) -> Tree:
        """Its topics under their parents."""
        below: dict[str | None, list[Topic]] = {}
        for topic in sorted(self.topics, key=lambda one: (-one.users.value, one.id)):
            below.setdefault(topic.parent, []).append(topic)
        return Tree(release=self.id, promise=promise(self.guarantee), branches=_branches(below, None))

    def topic(self, topic: str) -> OneTopic:
        """One topic.

        Raises:
            InputError: there is no such topic.
        """
        for one in self.topics:
            if one.id == topic:
                return OneTopic(release=self.id, promise=promise(self.guarantee), topic=one)
        raise InputError("the release has no topic of this id; browse its tree for those it has")

    def card(self) -> Card:
        """Its guarantee."""
        made = self.release
        return Card(
            release=made.id, policy_name=made.policy_name, policy_digest=made.policy_digest, guarantee=made.guarantee
        )


def promise(guarantee: Guarantee) -> Promise:
    """The guarantee in short."""
    return Promise(mode=guarantee.mode, unit=guarantee.unit, epsilon=guarantee.epsilon, delta=guarantee.delta)


def _branches(below: Mapping[str | None, list[Topic]], parent: str | None) -> tuple[Branch, ...]:
    return tuple(Branch(topic=one, children=_branches(below, one.id)) for one in below.get(parent, []))


def _walk(branches: tuple[Branch, ...], depth: int) -> Iterator[tuple[int, Branch]]:
    for one in branches:
        yield depth, one
        yield from _walk(one.children, depth + 1)


def _topic_row(topic: Topic) -> Row:
    return {
        "name": topic.name,
        **interval("users", topic.users),
        **interval("conversations", topic.conversations),
        "topic": topic.id,
        "parent": topic.parent,
        "level": topic.level,
    }
