"""Stand-ins for tests: an embedder without a model, deterministic, whose vectors say which words texts share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH = 384


class HashedEmbedder:
    """Bag of hashed words to a unit vector: a word is a fixed row of signs, a text the sum of its words'."""

    def __init__(self) -> None:
        self._directions: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) float32, unit length; row i depends on texts[i] alone."""
        rows = np.empty((len(texts), WIDTH), dtype=np.float32)
        for i, text in enumerate(texts):
            total = np.sum([self._direction(word) for word in text.lower().split() or [""]], axis=0)
            if not total.any():
                total = self._direction("")
            rows[i] = total / np.linalg.norm(total)
        return rows

    def _direction(self, word: str) -> NDArray[np.float32]:
        held = self._directions.get(word)
        if held is None:
            digest = hashlib.shake_256(word.encode("utf-8", "surrogatepass")).digest(WIDTH // 8)
            held = np.unpackbits(np.frombuffer(digest, dtype=np.uint8)).astype(np.float32) * 2 - 1
            self._directions[word] = held
        return held
