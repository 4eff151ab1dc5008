"""Who talks in the synthetic corpus, how often, about what and when: ids, interests, heavy tails, daily rhythm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError
from sfumato.evaluate.synth_tree import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.synth_tree import Mix

MOST_USERS = 1 << 24
_MOST_INTERESTS = 5
_OWN_INTEREST = 0.85
_TAIL, _LARGEST = 1.2, 400.0
"""Lomax index and cap of how talkative people are: most have one to three conversations, a few have hundreds."""

_GIVEN = [
    "ada",
    "ben",
    "caro",
    "dario",
    "ella",
    "finn",
    "gwen",
    "hugo",
    "ines",
    "jan",
    "kira",
    "leo",
    "mona",
    "nils",
    "olga",
    "paul",
    "rhea",
    "sami",
    "tess",
    "uma",
    "vito",
    "wanda",
]
_FAMILY = [
    "abbot",
    "berg",
    "costa",
    "dahl",
    "ekman",
    "flint",
    "grau",
    "holm",
    "ivers",
    "jung",
    "kranz",
    "lund",
    "marsh",
    "novak",
    "orr",
    "penn",
    "roth",
    "stone",
    "thorn",
]

_PLANS = ("free", "pro", "team")
_PLAN_OF = {"software": (0.45, 0.35, 0.2), "work": (0.5, 0.22, 0.28)}
_PLAN_ELSE = (0.8, 0.16, 0.04)
_PLATFORMS = ("web", "ios", "android", "api")
_PLATFORM_OF = {
    "software": (0.6, 0.06, 0.09, 0.25),
    "work": (0.7, 0.13, 0.14, 0.03),
    "learning": (0.5, 0.22, 0.27, 0.01),
}
_PLATFORM_ELSE = (0.25, 0.37, 0.375, 0.005)

_HOURS = np.array([3, 2, 1, 1, 1, 2, 4, 7, 11, 14, 15, 15, 13, 14, 15, 15, 14, 13, 12, 12, 12, 11, 8, 5], dtype=float)
_WEEKDAYS = np.array([1.1, 1.15, 1.15, 1.1, 1.0, 0.7, 0.75])


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """n users as columns: codes of language and plan, and five interests each, of which the first `breadth` count."""

    language: NDArray[np.int8]
    plan: NDArray[np.int8]
    interests: NDArray[np.int16]
    breadth: NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """A stretch of conversations in time order, as columns of codes; `language` is the one written."""

    user: NDArray[np.int32]
    topic: NDArray[np.int16]
    language: NDArray[np.int8]
    platform: NDArray[np.int8]


def user_id(index: int, *, seed: int) -> str:
    """The id of the user with this index: unique, and the same whatever the size of the corpus."""
    mixed = (index * 0x9E3779 + seed * 0x85EBCB + 0x3C6EF3) % MOST_USERS
    if mixed % 4:
        return f"u-{mixed:06x}"
    return f"{_GIVEN[mixed % len(_GIVEN)]}.{_FAMILY[mixed // 64 % len(_FAMILY)]}{mixed}@example.net"


def plan_name(code: int) -> str:
    """The plan a code stands for."""
    return _PLANS[code]


def platform_name(code: int) -> str:
    """The platform a code stands for."""
    return _PLATFORMS[code]


def draw_people(users: int, mix: Mix, rng: np.random.Generator) -> People:
    """Everybody's main language, interests and plan."""
    language = rng.choice(len(mix.languages), users, p=mix.languages).astype(np.int8)
    interests = _topics_for(np.repeat(language, _MOST_INTERESTS), mix, rng).reshape(users, _MOST_INTERESTS)
    breadth = np.minimum(rng.geometric(0.45, users), _MOST_INTERESTS).astype(np.int8)
    plans = [_PLAN_OF.get(leaf.domain, _PLAN_ELSE) for leaf in leaves()]
    return People(language=language, plan=_codes(plans, interests[:, 0], rng), interests=interests, breadth=breadth)


def draw_order(conversations: int, users: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Which user holds each conversation, in time order; everybody holds at least one."""
    talk = np.minimum(rng.pareto(_TAIL, users) + 1e-9, _LARGEST)
    counts = 1 + rng.multinomial(conversations - users, talk / talk.sum())
    order = np.repeat(np.arange(users, dtype=np.int32), counts)
    rng.shuffle(order)
    return order


def draw_visits(people: People, user: NDArray[np.int32], mix: Mix, rng: np.random.Generator) -> Visits:
    """Topic, written language and platform of the conversations these users hold."""
    language = people.language[user]
    slot = (people.breadth[user] * rng.random(len(user)) ** 2).astype(np.int8)
    own = rng.random(len(user)) < _OWN_INTEREST
    topic = np.where(own, people.interests[user, slot], _topics_for(language, mix, rng))
    written = np.where(rng.random(len(user)) < mix.guests, 0, language)
    platforms = [_PLATFORM_OF.get(leaf.domain, _PLATFORM_ELSE) for leaf in leaves()]
    return Visits(user=user, topic=topic, language=written, platform=_codes(platforms, topic, rng))


def draw_times(conversations: int, month: str, rng: np.random.Generator) -> Iterator[str]:
    """Rising time stamps (`2026-03-05T14:07:31Z`) in the month, with nights and weekends.

    Raises:
        InputError: the month is not written as YYYY-MM.
    """
    start = month_start(month)
    days = ((start + timedelta(days=31)).replace(day=1) - start).days
    shape = np.outer(_WEEKDAYS[(start.weekday() + np.arange(days)) % 7], _HOURS).ravel()
    for hour, count in enumerate(rng.multinomial(conversations, shape / shape.sum()).tolist()):
        stamp = f"{month}-{hour // 24 + 1:02d}T{hour % 24:02d}"
        for second in np.sort(rng.integers(0, 3600, count)).tolist():
            yield f"{stamp}:{second // 60:02d}:{second % 60:02d}Z"


def month_start(month: str) -> datetime:
    """The first instant of a month written as YYYY-MM.

    Raises:
        InputError: the month is not written as YYYY-MM.
    """
    try:
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        start = None
    if start is None or f"{start:%Y-%m}" != month:
        raise InputError("the month of a synthetic corpus is written as YYYY-MM, for example 2026-03")
    return start


def _topics_for(language: NDArray[np.int8], mix: Mix, rng: np.random.Generator) -> NDArray[np.int16]:
    ladder = np.cumsum(mix.topics, axis=1)
    ladder /= ladder[:, -1:]
    drawn = rng.random(len(language))
    topic = np.empty(len(language), dtype=np.int16)
    for code in range(len(ladder)):
        rows = language == code
        topic[rows] = np.searchsorted(ladder[code], drawn[rows], side="right")
    return topic


def _codes(shares: Sequence[tuple[float, ...]], of: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int8]:
    """One code for each entry of `of`, drawn from the row of shares it points to."""
    ladder = np.cumsum(np.array(shares), axis=1)[of]
    codes = (rng.random((len(of), 1)) >= ladder[:, :-1]).sum(axis=1).astype(np.int8)
    return np.asarray(codes)
