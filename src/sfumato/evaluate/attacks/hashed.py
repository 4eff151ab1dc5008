"""A public embedder without a model, for attacks that need many runs: hashed words, the same on every machine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from sfumato.extract.phrases import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH = 96
_AROUND = ".,;:?!()"


class HashedEmbedder:
    """Unit vectors (n, 96) float32 that say which telling words two texts share; row i depends on texts[i] alone.

    A word is a fixed row of signs, a text the sum of its words', English words of grammar left out.
    """

    def __init__(self) -> None:
        self._directions: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector for each text."""
        rows = np.empty((len(texts), WIDTH), np.float32)
        for place, text in enumerate(texts):
            words = [word.strip(_AROUND) for word in text.lower().split()]
            told = sorted({word for word in words if word not in ENGLISH}) or [""]
            total = np.sum([self._direction(word) for word in told], axis=0)
            rows[place] = total if total.any() else self._direction("")
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def _direction(self, word: str) -> NDArray[np.float32]:
        held = self._directions.get(word)
        if held is None:
            digest = hashlib.shake_256(word.encode("utf-8", "surrogatepass")).digest(WIDTH // 8)
            held = np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.float32) * 2 - 1
            self._directions[word] = held
        return held
