"""Which texts share a computation: fixed shapes only, so that no text's vector can depend on its company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKENS = 256
"""Tokens the model reads of a text; its own default."""

ROWS = {16: 16, 24: 10, 32: 8, 48: 5, 64: 4, 96: 3, 128: 2, 192: 1, 256: 1}
"""Padded length -> rows. Each length has one batch shape, about 256 tokens, filled up with dummy rows.

Larger ones are no faster, and each must be tried out before its first use (`Encoder._company_is_harmless`).
"""

WINDOW_TEXTS = 8192
WINDOW_CHARACTERS = 4_000_000
CHUNK_TEXTS = 1024
_CHUNK_COST = 16_000  # about two seconds of a core: the last worker to end keeps nobody waiting for long
_ROW_COST = 24  # characters that a row's padding and special tokens stand for
_LONGEST_COST = 1200  # characters beyond which the model reads no further


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows computed together: positions in the input, and the padded length that decides the batch's shape."""

    members: tuple[int, ...]
    length: int


def padded_length(tokens: int) -> int:
    """The smallest fixed length that holds so many tokens: a function of the text alone."""
    return next(length for length in ROWS if tokens <= length)


def plan(token_counts: Sequence[int]) -> list[Batch]:
    """Every position once, in batches of at most ROWS[length] members.

    Raises:
        ValueError: a count is above TOKENS.
    """
    buckets: dict[int, list[int]] = {length: [] for length in ROWS}
    for position, count in enumerate(token_counts):
        if count > TOKENS:
            raise ValueError("token counts must be truncated first")
        buckets[padded_length(count)].append(position)
    return [
        Batch(members=tuple(held[start : start + ROWS[length]]), length=length)
        for length, held in buckets.items()
        for start in range(0, len(held), ROWS[length])
    ]


def chunks(characters: Sequence[int]) -> list[list[int]]:
    """Positions, sorted by text length and cut into errands of about equal work, one worker's at a time."""
    errands: list[list[int]] = []
    cost = _CHUNK_COST
    for position in sorted(range(len(characters)), key=characters.__getitem__, reverse=True):
        if cost >= _CHUNK_COST or len(errands[-1]) >= CHUNK_TEXTS:
            errands.append([])
            cost = 0
        errands[-1].append(position)
        cost += min(characters[position], _LONGEST_COST) + _ROW_COST
    return errands
