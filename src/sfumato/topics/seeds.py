"""Step 2: places where topics may lie, from released phrases alone, and a noisy vote on which are inhabited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import counts, grid
from sfumato.topics.grid import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer

MOST_PHRASES = 2_000  # the phrases of most users; beyond that they only cost time
MOST_PAIRS = 2_000  # four times as many find no better places
NEIGHBOURS = 30
CLEAR_OF_NOISE = 2.5  # standard deviations that a place's votes must reach to count as inhabited


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Unit vectors (k, d) of candidate places; weights (k,): noisy users of each, with standard deviation `sigma`."""

    vectors: NDArray[np.float64]
    weights: NDArray[np.float64]
    sigma: float


def candidates(
    texts: Sequence[str], seeds: NDArray[np.float32], embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Vectors of the released phrases, and of each joined with those nearest to it ("card" and "limit": "card limit").

    A pair is post-processing: it need never occur in the data.
    """
    start = unit_rows(seeds[:MOST_PHRASES])
    pairs = _pairs(start, texts)
    if not pairs:
        return start
    return np.vstack([start, unit_rows(np.asarray(embed(pairs)))])


def vote(epoch: BoundedEpoch, places: NDArray[np.float64], measurer: Measurer, *, rho: int, l0: int) -> Places:
    """Noisy users of each place, a unit counting in the `l0` places nearest most of its conversations."""
    nearest = grid.nearest(epoch.vectors, grid.quantise(places))
    keys = counts.kept_keys(epoch.unit_of, nearest.astype(np.int64), limit=l0)
    noisy = counts.users(keys, len(places), measurer, name="places", rho=rho, l0=l0)
    clear = np.flatnonzero(noisy.values > CLEAR_OF_NOISE * noisy.sigma)
    if not len(clear):
        clear = np.asarray([int(noisy.values.argmax())])
    return Places(
        vectors=places[clear], weights=np.maximum(noisy.values[clear], 1).astype(np.float64), sigma=noisy.sigma
    )


def _pairs(start: NDArray[np.float64], texts: Sequence[str]) -> list[str]:
    """Neighbouring phrases joined, in a fixed order, at most MOST_PAIRS."""
    if len(start) < 3:  # noqa: PLR2004 - two phrases and fewer have no neighbourhood to speak of
        return []
    around = unit_rows(start - start.mean(axis=0))
    likeness = around @ around.T
    np.fill_diagonal(likeness, -np.inf)
    width = min(NEIGHBOURS, len(start) - 1, max(1, MOST_PAIRS // len(start)))
    near = np.argsort(-likeness, axis=1, kind="stable")[:, :width]
    joined = {(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row}
    return [f"{texts[i]} {texts[j]}" for i, j in sorted(joined)][:MOST_PAIRS]
