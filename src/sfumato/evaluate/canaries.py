"""Unique phrases planted with known carriers, so that a test or an attack can ask whether anything of them got out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sfumato.evaluate.synth_people import user_id

GROUPS = (1, 1, 1, 5, 5, 30)
"""How many users carry each canary."""

_FIRST = [
    "marble",
    "tartan",
    "velvet",
    "amber",
    "cobalt",
    "hollow",
    "crimson",
    "ivory",
    "gilded",
    "frosted",
    "rusty",
    "woven",
    "silver",
    "tangled",
    "quiet",
    "brass",
]
_SECOND = [
    "heron",
    "lantern",
    "walrus",
    "thimble",
    "badger",
    "anvil",
    "comet",
    "otter",
    "bellows",
    "falcon",
    "barrel",
    "magpie",
    "sextant",
    "lynx",
    "pylon",
    "newt",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A phrase such as `canary marble heron 4821` and the users who say it, in exactly one conversation each."""

    phrase: str
    first_user: int
    carriers: tuple[str, ...]


def canaries(seed: int, *, users: int = sum(GROUPS)) -> tuple[Canary, ...]:
    """The canaries of the corpus with this seed: one for each group that fits among its users, smallest first.

    users: users of the corpus; from 43 on all six canaries are there, and the same ones whatever the size.
    """
    rng = Random(f"canaries {seed}")
    first, second = rng.sample(_FIRST, len(GROUPS)), rng.sample(_SECOND, len(GROUPS))
    planted, start = [], 0
    for group, one, two in zip(GROUPS, first, second, strict=True):
        phrase = f"canary {one} {two} {rng.randrange(1000, 10000)}"
        if start + group <= users:
            carriers = tuple(user_id(i, seed=seed) for i in range(start, start + group))
            planted.append(Canary(phrase=phrase, first_user=start, carriers=carriers))
        start += group
    return tuple(planted)
