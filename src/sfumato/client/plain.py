"""Released strings made fit to be shown: nothing in them moves a cursor, hides, or reorders what stands beside it."""

from __future__ import annotations

import unicodedata
from typing import TypeVar, cast

JOINERS = "\u200c\u200d"  # Persian, the scripts of India and emoji are spelled with them
_UNSHOWN = {"Cc", "Cf", "Co", "Cs", "Cn"}
Value = TypeVar("Value")


def clean(text: str) -> str:
    """The text on one line, without control, formatting, private and unassigned characters; joiners stay."""
    return "".join(_shown(letter) for letter in text).strip()


def _shown(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter in JOINERS or unicodedata.category(letter) not in _UNSHOWN else ""


def cleaned(value: Value) -> Value:
    """The same JSON value, or tuple of such, with every string in it clean, keys too."""
    if isinstance(value, str):
        return cast("Value", clean(value))
    if isinstance(value, dict):
        return cast("Value", {clean(str(key)): cleaned(one) for key, one in value.items()})
    if isinstance(value, (list, tuple)):
        return cast("Value", [cleaned(one) for one in value])
    return value
