"""One topic through the releases of a dataset: the same id where ids are declared, else the same name.

Discovery numbers its topics by size, so such an id (`leaf-007`) names a rank and not a topic; an id of a declared
taxonomy follows from the taxonomy's own and stays. A name that two topics of a release share matches neither.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.serve.fold import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sfumato.model.release import Release, Topic

_RANK = re.compile(r"(leaf|middle|top)-[0-9]{3,}")
Matched = Literal["id", "name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The topic in one release, and by what it was known again."""

    release: Release
    topic: Topic
    matched: Matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A topic and where it stands in each release that has it, oldest epoch first. declared: releases with own ids."""

    topic: Topic
    points: tuple[Point, ...]
    releases: int
    declared: int

    @property
    def matching(self) -> Literal["id", "name", "id and name"]:
        """By what topics of this dataset can be known again."""
        if self.declared == self.releases:
            return "id"
        return "id and name" if self.declared else "name"


def trend(releases: Sequence[Release], topic_id: str, *, within: str | None = None) -> Trend | None:
    """Follow the topic that has this id in the newest release with one; None where no release has it.

    releases: of one dataset, newest first. within: id of the one release whose topic is meant.
    """
    named = (one for one in releases if within in {None, one.id})
    anchor = next(((one, topic) for one in named for topic in one.topics if topic.id == topic_id), None)
    if anchor is None:
        return None
    where, sought = anchor
    points = [point for release in releases if (point := _found(release, where, sought)) is not None]
    return Trend(
        topic=sought,
        points=tuple(sorted(points, key=lambda point: (point.release.epoch, point.release.created))),
        releases=len(releases),
        declared=sum(declares(release) for release in releases),
    )


def declares(release: Release) -> bool:
    """Whether the ids of a release's topics are a taxonomy's own."""
    return not any(_RANK.fullmatch(topic.id) for topic in release.topics)


def _found(release: Release, where: Release, sought: Topic) -> Point | None:
    if release.id == where.id or (declares(release) and declares(where)):
        same = next((topic for topic in release.topics if topic.id == sought.id), None)
        return None if same is None else Point(release=release, topic=same, matched="id")
    wanted = folded(sought.name)
    named = [topic for topic in release.topics if topic.level == sought.level and folded(topic.name) == wanted]
    return Point(release=release, topic=named[0], matched="name") if len(named) == 1 else None


def earlier(release: Release, releases: Sequence[Release]) -> Release | None:
    """The release of the epoch before it: same dataset and unit, the latest epoch that is earlier; of it the newest."""
    told = [
        one
        for one in releases
        if (one.dataset, one.guarantee.unit) == (release.dataset, release.guarantee.unit) and one.epoch < release.epoch
    ]
    return max(told, key=lambda one: (one.epoch, one.created), default=None)


def pairs(release: Release, before: Release) -> Iterator[tuple[Topic, Topic]]:
    """Each topic that is known again in the release before, by the rule of `trend`."""
    if declares(release) and declares(before):
        known = {topic.id: topic for topic in before.topics}
        yield from ((topic, known[topic.id]) for topic in release.topics if topic.id in known)
        return
    now, then = _by_name(release), _by_name(before)
    yield from ((topic, then[key]) for key, topic in now.items() if key in then)


def _by_name(release: Release) -> dict[tuple[int, str], Topic]:
    """Topics by level and name; those that share both are left out."""
    keys = [(topic.level, folded(topic.name)) for topic in release.topics]
    often = Counter(keys)
    return {key: topic for key, topic in zip(keys, release.topics, strict=True) if often[key] == 1}
