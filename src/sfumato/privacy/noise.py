"""Where noise is drawn: a spawned worker, so that a crash inside OpenDP ends a worker and not the ledger's keeper."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import numpy as np

from sfumato.errors import WHY_NO_START, NoiseFailure
from sfumato.privacy import mechanisms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PIECE = 65_536
Result = TypeVar("Result")


class NoiseSource(Protocol):
    """Adds noise to exact integers. Only `OpenDPNoise` can lead to a release: the door checks."""

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]: ...

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]: ...


def _end_with_parent() -> None:
    """A parent that is killed takes no leave, and its workers would wait for its calls for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class OpenDPNoise:
    """Discrete Gaussian noise by OpenDP, in `workers` spawned processes. Use as a context manager."""

    def __init__(self, workers: int = 2) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_end_with_parent)
        nothing = partial(mechanisms.draw_gaussian, np.zeros(1, np.int64), 1.0)
        try:
            self._draw([nothing] * self._workers)  # a worker that can't start must show before anything is charged
        except NoiseFailure:
            self._pool.shutdown()
            raise NoiseFailure(f"a noise worker could not start; nothing was charged: {WHY_NO_START}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """Values plus noise, same shape; the draws are cut in fixed pieces, whatever the values."""
        flat = values.ravel()
        pieces = [flat[i : i + PIECE] for i in range(0, max(flat.size, 1), PIECE)]
        result = np.concatenate(self._draw([partial(mechanisms.draw_gaussian, piece, scale) for piece in pieces]))
        if result.size != flat.size:
            raise NoiseFailure("the noise worker answered with another number of values; the charge stays spent")
        return result.reshape(values.shape)

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
        """Noisy counts of the keys that reach the threshold, in ascending order."""
        keys = sorted(counts)
        pieces = [{key: counts[key] for key in keys[i : i + PIECE]} for i in range(0, len(keys), PIECE)]
        parts = self._draw([partial(mechanisms.draw_selection, piece, scale, threshold) for piece in pieces])
        return dict(sorted((key, count) for part in parts for key, count in part.items()))

    def _draw(self, calls: list[partial[Result]]) -> list[Result]:
        if self._pool is None:
            raise NoiseFailure("the noise worker is not running; use it inside a with block")
        try:
            return [future.result() for future in [self._pool.submit(call) for call in calls]]
        except BrokenProcessPool as broken:
            raise NoiseFailure(
                "a noise worker died (out of memory?); what was charged for this release stays spent"
            ) from broken
