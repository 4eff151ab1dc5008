"""Dispersion and growth from two releases and nothing else: `signals.py EARLIER.json LATER.json`.

Growth is the difference of released numbers of users: of topics, of the values of facets, of all. Dispersion is
conversations per user of a topic. Both come with 95 % intervals of the noise, made wider for how many are looked at
together, so that all of them hold at once in 95 of 100 runs. A line with `*` stands out: growth whose interval is
without 0, dispersion whose interval lies above that of all conversations.

What this can't see: who the users are; topics and cells under their thresholds; and of one user's conversations more
than the bound of the policy, so that a flood from few accounts shows as no topic at all, and not as a peak.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

from sfumato.errors import InputError, SfumatoError
from sfumato.model import document, signature
from sfumato.model.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.model.release import Estimate, Release, Topic

Z95 = 1.959964  # an interval of a release reaches so many standard deviations
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One figure with its interval; `stands_out` as the module says."""

    name: str
    value: float
    low: float
    high: float
    stands_out: bool


def sigma(number: Estimate) -> float:
    """The standard deviation of a number's noise; the upper end is never cut at zero, the lower end may be."""
    return (number.high - number.value) / Z95


def wider(looked_at: int) -> float:
    """Standard deviations that make `looked_at` intervals hold together (Bonferroni)."""
    return NormalDist().inv_cdf(1 - ALPHA / (2 * max(looked_at, 1)))


def growth(earlier: Release, later: Release) -> list[Signal]:
    """Users that each comparable number gained, largest gain first. The noise of two releases is independent.

    Raises:
        InputError: they are of two datasets or under two policies.
    """
    if (earlier.policy_digest, earlier.dataset) != (later.policy_digest, later.dataset):
        raise InputError("only releases of one dataset under one policy can be compared")
    before, after = dict(_numbers(earlier)), dict(_numbers(later))
    both = [name for name in after if name in before]
    reach = wider(len(both))
    found = []
    for name in both:
        old, new = before[name], after[name]
        gained, spread = new.value - old.value, reach * math.hypot(sigma(old), sigma(new))
        found.append(
            Signal(name=name, value=gained, low=gained - spread, high=gained + spread, stands_out=abs(gained) > spread)
        )
    return sorted(found, key=lambda signal: -signal.value)


def dispersion(release: Release) -> list[Signal]:
    """Conversations per user of each topic, most first; 1 is everybody once. The interval holds for both numbers."""
    reach = wider(2 * (len(release.topics) + 1))
    whole = _per_user("all", release.users, release.conversations, reach, above=math.inf)
    found = [
        _per_user(_path(release, one), one.users, one.conversations, reach, above=whole.high) for one in release.topics
    ]
    return sorted(found, key=lambda signal: -signal.value)


def _per_user(name: str, users: Estimate, talks: Estimate, reach: float, *, above: float) -> Signal:
    few, many = (users.value + side * reach * sigma(users) for side in (-1, 1))
    less, more = (talks.value + side * reach * sigma(talks) for side in (-1, 1))
    low = max(less / many, 1.0) if many > 0 else 1.0
    high = max(more / few, 1.0) if few > 0 else math.inf
    return Signal(
        name=name, value=max(talks.value / max(users.value, 1), 1.0), low=low, high=high, stands_out=low > above
    )


def _numbers(release: Release) -> Iterator[tuple[str, Estimate]]:
    """Every number of users that has a name of its own: all, each facet's values, each topic."""
    yield "all", release.users
    for facet, cells in release.facets.items():
        for cell in cells:
            if cell.users is not None:
                yield f"{facet} = {cell.value}", cell.users
    named = {topic.id: _key(release, topic) for topic in release.topics}
    times = Counter(named.values())
    for topic in release.topics:
        if times[named[topic.id]] == 1:
            yield named[topic.id], topic.users


def _key(release: Release, topic: Topic) -> str:
    """What a topic is called in both releases.

    A declared topic keeps its id for ever. A discovered one is numbered anew in each release: all there is to know it
    by is its name and level, and one that was renamed can't be compared.
    """
    if any(mechanism.name.startswith("depth ") for mechanism in release.guarantee.mechanisms):
        return f"{_path(release, topic)} [{topic.id}]"
    return f"{topic.name} (level {topic.level})"


def _path(release: Release, topic: Topic) -> str:
    """The names above a topic and its own."""
    by_id = {one.id: one for one in release.topics}
    names = [topic.name]
    while topic.parent is not None:
        topic = by_id[topic.parent]
        names.append(topic.name)
    return " > ".join(reversed(names))


def read(path: str) -> Release:
    """A release document; its signature must be its own.

    Raises:
        InputError: it is none. Whose key signed it, `sfumato` checks elsewhere: here any key will do.
    """
    found = loads(Path(path).read_bytes())
    signature.verify(found, None)
    return document.decode(found)


def bounded_alike(earlier: Release, later: Release) -> bool:
    """Whether users counted in as many topics and with as many conversations in both: each epoch's activity decides."""
    first, second = (
        {one.name: (one.l0, one.linf) for one in release.guarantee.mechanisms} for release in (earlier, later)
    )
    return first == second


def show(earlier: Release, later: Release) -> None:
    """Print growth, what has no partner, and dispersion; a star for what stands out."""
    print(f"Users gained, {earlier.epoch} to {later.epoch}")
    if not bounded_alike(earlier, later):
        print("(a user counts in more topics or conversations in one of the two: see their guarantee cards)")
    for one in growth(earlier, later):
        print(f"{' *'[one.stands_out]} {one.value:+8,.0f}  [{one.low:+,.0f} to {one.high:+,.0f}]  {one.name}")
    names = [{name for name, _ in _numbers(release)} for release in (earlier, later)]
    for epoch, alone in ((earlier.epoch, names[0] - names[1]), (later.epoch, names[1] - names[0])):
        print(f"Only in {epoch}, so no growth can be told: {'; '.join(sorted(alone)) or 'none'}")
    print(f"\nConversations per user, {later.epoch}")
    for one in dispersion(later):
        print(f"{' *'[one.stands_out]} {one.value:8.2f}  [{one.low:.2f} to {one.high:.2f}]  {one.name}")


def main() -> None:
    """Read both and show them."""
    asked = argparse.ArgumentParser(description="Growth and dispersion from two releases of one policy.")
    asked.add_argument("earlier")
    asked.add_argument("later")
    given = asked.parse_args()
    try:
        show(read(given.earlier), read(given.later))
    except (OSError, SfumatoError) as problem:
        sys.exit(f"signals: {problem}")


if __name__ == "__main__":
    main()
