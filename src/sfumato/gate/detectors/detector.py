"""What a detector is, and the one spelling of a text that all detectors read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
JOINERS = frozenset({"\u200c", "\u200d"})  # Persian and Hindi spell with them, emoji too
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u2032"), "'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One rule. rule: its id, as it stands in verdicts. finds: whether the folded text breaks it.

    digits: how many decimal digits a text must have before it is worth asking; spares the others the time.
    """

    rule: str
    finds: Callable[[str], bool]
    digits: int = 0


def folded(text: str) -> str:
    """NFKC, any script's digits as 0 to 9, one kind of dash, quote and space, no joiners; the case is kept."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).translate(_QUOTES)
    return "".join(_plain(char) for char in plain if char not in JOINERS)


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    if char.isascii():
        return char
    kind = unicodedata.category(char)
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    return " " if kind in {"Zs", "Zl", "Zp"} else char


def hides_something(text: str) -> bool:
    """Control, format, private-use, unassigned or surrogate characters: they hide or reorder what a reader sees."""
    return any(unicodedata.category(char) in HIDDEN and char not in JOINERS for char in text if not char.isprintable())


def pattern(*expressions: str, cased: bool = False) -> Callable[[str], bool]:
    """A test for any of these regular expressions; without regard to case unless `cased`. Compiled at first use."""

    @cache
    def compiled() -> re.Pattern[str]:
        return re.compile("|".join(expressions), re.NOFLAG if cased else re.IGNORECASE)

    return lambda text: compiled().search(text) is not None


def digits_of(text: str) -> str:
    """The ASCII digits of a text, in order."""
    return "".join(char for char in text if "0" <= char <= "9")
