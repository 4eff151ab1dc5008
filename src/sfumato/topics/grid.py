"""Vectors of length 1, and on an integer grid: a row's products are exact there and owe nothing to the rows beside it.

A floating-point matrix product may round a row differently with the shape of its batch; one more user would then move
other users' sums, and the sensitivity bound would be false. Integers whose partial sums stay under 2**24 are exact in
float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STEP = 4_000
LIMIT = 4_096  # norms up to this keep |a . b| <= 2**24 (Cauchy-Schwarz), for every partial sum too
CHUNK = 8_192


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1; a zero row stays zero."""
    wide = rows.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return wide


def quantise(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of integers (as float32), a unit vector having norm about 4,000; a row beyond norm 4,096 becomes zero.

    Each row's result depends on that row alone. Values that are not finite count as zero.
    """
    steps = np.rint(np.clip(np.nan_to_num(vectors.astype(np.float64), posinf=0, neginf=0), -2, 2) * STEP)
    square = (steps * steps).sum(axis=1)
    steps[square > LIMIT**2] = 0
    return steps.astype(np.float32)


def chunks(rows: int) -> Iterator[slice]:
    """Consecutive slices of bounded size."""
    return (slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK))


def nearest(vectors: NDArray[np.floating], centres: NDArray[np.float32]) -> NDArray[np.int32]:
    """For each row of `vectors` the index of the quantised centre with the largest product; (n,) int32."""
    found = np.zeros(len(vectors), np.int32)
    for part in chunks(len(vectors)):
        found[part] = (quantise(vectors[part]) @ centres.T).argmax(axis=1)
    return found
