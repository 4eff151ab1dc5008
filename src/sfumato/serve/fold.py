"""Text as it is compared: without case and accents, in words."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")


def folded(text: str) -> str:
    """Without case, accents and compatibility forms (Unicode NFKD), spaces drawn together."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def words(text: str) -> list[str]:
    """The words of a text, folded, in order. Scripts without spaces come as whole runs."""
    return _WORD.findall(folded(text))


def trigrams(word: str) -> frozenset[str]:
    """Every three letters in a row, the ends marked."""
    marked = f" {word} "
    return frozenset(marked[at : at + 3] for at in range(len(marked) - 2))
