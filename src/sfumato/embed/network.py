"""What the encoder runs: a BERT's tensors by BERT's own names, and what differs between the models we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

WIDTH = 384
HEADS = 12
EPSILON = 1e-12
LONGEST = 16_384  # characters of a text that are looked at, far beyond what a model reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A model, loaded. Each function treats a row by itself.

    tokens: texts to ids, `start` first and `end` last. words: ids (rows, length) to their vectors. pooled: hidden
    states (rows, length, WIDTH), ids and mask to vectors (rows, WIDTH) float32 of unit length.
    """

    tensors: Mapping[str, Tensor]
    layers: int
    start: int
    end: int
    padding: int
    tokens: Callable[[Sequence[str]], list[list[int]]]
    words: Callable[[Tensor], Tensor]
    pooled: Callable[[Tensor, Tensor, Tensor], Tensor]


def encodable(text: str) -> str:
    """The text as UTF-8 can carry it (a lone surrogate becomes `?`), cut far beyond what a model reads."""
    return text[:LONGEST].encode("utf-8", "replace").decode()
