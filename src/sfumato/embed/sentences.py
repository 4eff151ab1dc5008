"""Sentence vectors: the port that extraction and topics see, and the model behind it."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from sfumato.embed.batches import WINDOW_CHARACTERS, WINDOW_TEXTS, chunks
from sfumato.embed.weights import find
from sfumato.embed.workers import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from sfumato.embed.encoder import Precision
    from sfumato.embed.weights import Weights

WIDTH = 384


class Embedder(Protocol):
    """Texts to unit vectors. A vector is a function of its own text alone, bit for bit: no bound holds otherwise."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32, rows of unit length, in the order of the texts."""
        ...


class SentenceEmbedder:
    """The model in `workers` processes (default: one for each CPU this process may use), started at first use.

    Use as a context manager, or call `close`. Calls from several threads take turns.
    """

    def __init__(
        self, weights: Weights | None = None, *, workers: int | None = None, precision: Precision = "auto"
    ) -> None:
        """Weights: from `weights.find`. precision: `auto` is bfloat16 where the processor has matrix tiles for it.

        Raises:
            ModelUnavailable: no weights were given and none can be found.
        """
        self._pool = Pool(weights or find(), size=workers or _cpus(), precision=precision)
        self._turn = threading.Lock()
        self._end = weakref.finalize(self, self._pool.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers; a later call starts new ones."""
        with self._turn:
            self._pool.close()

    def embed(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """(n, 384) float32, rows of unit length. `progress` is told how many more texts are through.

        Raises:
            ModelUnavailable: a worker died or could not load the model.
        """
        vectors = np.empty((len(texts), WIDTH), dtype=np.float32)
        start = 0
        for part in self.stream(texts, progress=progress):
            vectors[start : start + len(part)] = part
            start += len(part)
        return vectors

    def stream(
        self, texts: Iterable[str], *, progress: Callable[[int], None] | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """The same for texts that need not fit in memory: vectors in order, a window of texts at a time."""
        for window in _windows(texts):
            yield self._window(window, progress)

    def _window(self, texts: list[str], progress: Callable[[int], None] | None) -> NDArray[np.float32]:
        errands = chunks([len(text) for text in texts])
        with self._turn:
            parts = self._pool.map([[texts[position] for position in errand] for errand in errands], progress)
        vectors = np.empty((len(texts), WIDTH), dtype=np.float32)
        for errand, part in zip(errands, parts, strict=True):
            vectors[errand] = part
        return vectors


def _windows(texts: Iterable[str]) -> Iterator[list[str]]:
    window: list[str] = []
    characters = 0
    for text in texts:
        window.append(text)
        characters += len(text)
        if len(window) == WINDOW_TEXTS or characters >= WINDOW_CHARACTERS:
            yield window
            window, characters = [], 0
    if window:
        yield window


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
