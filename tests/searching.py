"""Looks for pieces of private text in what a run left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 24


def pieces(texts: Iterable[str]) -> set[bytes]:
    """Every 24-character piece of each text, in UTF-8, at steps that no whole 31-character copy can avoid."""
    return {
        text[start : start + PIECE].encode() for text in texts for start in range(0, max(len(text) - PIECE + 1, 0), 8)
    }


def found(needles: set[bytes], haystacks: Iterable[bytes]) -> set[bytes]:
    """Which needles stand in any haystack. Linear in the haystacks: needles of one length are looked up in a set."""
    by_length: dict[int, set[bytes]] = {}
    for needle in needles:
        by_length.setdefault(len(needle), set()).add(needle)
    hits: set[bytes] = set()
    for haystack in haystacks:
        for length, wanted in by_length.items():
            hits.update(
                haystack[start : start + length]
                for start in range(len(haystack) - length + 1)
                if haystack[start : start + length] in wanted
            )
    return hits


def contents(folder: Path) -> Iterator[bytes]:
    """The bytes and the name of every file below a folder."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)).encode()
        if path.is_file():
            yield path.read_bytes()
