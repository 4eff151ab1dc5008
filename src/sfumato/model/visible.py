"""PUBLIC. Text as it may be shown anywhere: nothing in it that steers a terminal or reorders a line."""

from __future__ import annotations

import unicodedata

_JOINERS = {"\u200c", "\u200d"}  # Persian, Hindi and emoji need them; they move nothing
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def visible(text: str) -> str:
    """The text with every character that could steer a terminal or reorder a line shown as U+FFFD instead."""
    return "".join("\ufffd" if unicodedata.category(one) in _UNSAFE and one not in _JOINERS else one for one in text)
