"""Titles and descriptions without a model: released phrases that are near a topic and far from the other topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARPNESS = 20.0  # of the softmax that says to which topic a phrase belongs
LISTED = 6  # phrases shown for a topic
JOIN = " · "
SHORTEST_STEM = 4
ENDINGS = ("s", "ed", "ing", "er", "ation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a topic is called; phrases: vocabulary indices, best first."""

    name: str
    description: str
    phrases: tuple[int, ...]


def labels(scores: NDArray[np.floating], texts: Sequence[str]) -> list[Label]:
    """One label for each row of scores (topics, vocabulary); names are distinct."""
    taken: set[str] = set()
    made = []
    for row in scores:
        order = [int(i) for i in np.argsort(-row, kind="stable")[: 8 * LISTED]]
        chosen = _varied(order, texts)
        name = _name([texts[i] for i in chosen], taken)
        taken.add(name)
        made.append(Label(name=name, description=_description([texts[i] for i in chosen[:4]]), phrases=tuple(chosen)))
    return made


def scores(
    likeness: NDArray[np.floating], phrase_users: NDArray[np.floating], within: NDArray[np.floating], noise: float
) -> NDArray[np.float64]:
    """How well each phrase names each topic: (topics, vocabulary).

    likeness: cosines of topics and phrases. phrase_users: noisy users of each phrase. within: noisy users of the phrase
    in the topic, nan where not measured, of standard deviation `noise`; its prior is the expected count, which shares
    out the phrase's users over topics by likeness.
    """
    odds = np.exp(SHARPNESS * (likeness - likeness.max(axis=0, keepdims=True)))
    share = odds / odds.sum(axis=0, keepdims=True)
    expected = share * np.maximum(phrase_users, 1.0)
    trust = expected**2 / (expected**2 + max(noise, 1e-9) ** 2)
    held = np.where(np.isnan(within), expected, expected + trust * (np.nan_to_num(within) - expected))
    share = np.clip(held, 0, None) / np.maximum(phrase_users, 1.0)
    return np.asarray(likeness + 0.25 * np.clip(share, 0, 1) + 0.03 * np.log1p(np.clip(held, 0, None)))


def _varied(order: Sequence[int], texts: Sequence[str]) -> list[int]:
    """The best phrases, skipping one whose words were all said."""
    said: set[str] = set()
    chosen = []
    for index in order:
        words = set(texts[index].split())
        if not all(any(_akin(word, other) for other in said) for word in words):
            chosen.append(index)
            said |= words
        if len(chosen) == LISTED:
            break
    return chosen


def _name(phrases: Sequence[str], taken: set[str]) -> str:
    """Two phrases; more where that name is taken; at last a number."""
    for count in range(2, len(phrases) + 1):
        name = JOIN.join(phrases[:count])
        if name not in taken:
            return name
    name = JOIN.join(phrases) or "unnamed"
    if name not in taken:
        return name
    return next(numbered for number in range(2, len(taken) + 3) if (numbered := f"{name} ({number})") not in taken)


def _description(phrases: Sequence[str]) -> str:
    """One sentence made of released phrases only."""
    if not phrases:
        return "Requests that no released phrase describes."
    *head, last = phrases
    return f"Requests that speak of {', '.join(head)} and {last}." if head else f"Requests that speak of {last}."


def _akin(word: str, other: str) -> bool:
    """Enough to see that card and cards, or install and installing, are one word."""
    shorter, longer = sorted((word, other), key=len)
    if word == other:
        return True
    return len(shorter) >= SHORTEST_STEM and longer.startswith(shorter.removesuffix("e")) and longer.endswith(ENDINGS)
