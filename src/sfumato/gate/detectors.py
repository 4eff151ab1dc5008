"""Rules that find an individual in a string: e-mail, numbers, addresses of machines, tokens, handles, links.

A second line of defence: released phrases have already passed user-level partition selection. What looks like an
identifier is not published even when many users wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_JOINERS = frozenset({"\u200c", "\u200d"})  # Persian and Hindi spell with them
_CARD = re.compile(r"(?:\d[ -]?){12,18}\d")


def _passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of its two digits
    return total % 10 == 0


def _has_card(text: str) -> bool:
    return any(_passes_luhn(re.sub(r"\D", "", found.group())) for found in _CARD.finditer(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One rule: its id, as it stands in verdicts, and its test."""

    rule: str
    finds: Callable[[str], object]


def _pattern(expression: str) -> Callable[[str], object]:
    return re.compile(expression, re.IGNORECASE).search


DETECTORS: tuple[Detector, ...] = (
    Detector(
        rule="email", finds=_pattern(r"[^\s@]+@[^\s@]+\.[^\s@]{2,}|\b\S+ (?:at|\(at\)|\[at\]) \S+ (?:dot|\(dot\)) \S+")
    ),
    Detector(rule="link", finds=_pattern(r"\b[a-z][a-z0-9+.-]{1,9}://|\bwww\.\S|\b\S+\.(?:com|org|net|io|dev)/\S")),
    Detector(rule="ip_address", finds=_pattern(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}\b")),
    Detector(rule="card_number", finds=_has_card),
    Detector(
        rule="iban", finds=_pattern(r"\b[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?\b(?<=[0-9a-z]{4})")
    ),
    Detector(rule="coordinates", finds=_pattern(r"-?\d{1,3}\.\d{3,}\s*,\s*-?\d{1,3}\.\d{3,}")),
    Detector(rule="long_number", finds=_pattern(r"(?:\d[\s().-]{0,2}){6,}")),
    Detector(rule="handle", finds=_pattern(r"(?:^|\s)[@#][\w.]{3,}")),
    Detector(rule="token", finds=_pattern(r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{20,}\b|\b[0-9a-f]{16,}\b")),
)


def judge(text: str) -> str | None:
    """The rule that forbids publishing this string, or None.

    Control, format and private-use characters are forbidden as well: they can hide or reorder what a reader sees.
    """
    folded = unicodedata.normalize("NFKC", text)
    if any(unicodedata.category(char) in _HIDDEN and char not in _JOINERS for char in text):
        return "control_characters"
    return next((detector.rule for detector in DETECTORS if detector.finds(folded)), None)
