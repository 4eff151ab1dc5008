"""Steps 3 and 4: move centres towards the data by one noisy sum of residuals for each cell.

A unit's rows give, in the cell of each row, a count coordinate and the residual to the cell's anchor on a public
subspace; the whole of it, over all cells, is scaled to norm 1 at most and rounded towards zero on an integer grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sfumato.topics import grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer

UNITY = 2**20  # fixed-point steps in norm 1
COUNT_SHARE = 0.1  # of a lone row's squared norm
RADIUS = 0.5  # residuals are clipped here: most are longer, so their directions are what is averaged ...
LENGTH = 0.65  # ... and this gives it back: typical about a phrase, and a little long about a measured mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Noisy weight of each cell (k,) in units, sums of residuals (k, r) on the subspace, and their noise scales."""

    weights: NDArray[np.float64]
    sums: NDArray[np.float64]
    weight_sigma: float
    sum_sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Public geometry of one refinement, on the grid.

    centres (k, d): a row lies in the cell of the nearest. basis (d, r): orthonormal directions. anchors (k, r): what
    residuals are taken from, in squared steps of the grid.
    """

    centres: NDArray[np.float32]
    basis: NDArray[np.float32]
    anchors: NDArray[np.float64]


def frame(means: NDArray[np.float64], basis: NDArray[np.float64]) -> Frame:
    """Cells around the rays of expected means (k, r), and residuals from these means.

    Rows point different ways, so their mean is shorter than they are. Residuals from a unit centre would all point
    inwards, and the noise that their norm is charged would be spent on what is known.
    """
    return Frame(
        centres=grid.quantise(grid.unit_rows(means) @ basis.T),
        basis=grid.quantise(basis.T).T,
        anchors=means * grid.STEP**2,
    )


def measure(epoch: BoundedEpoch, where: Frame, measurer: Measurer, *, name: str, rho: int) -> Cells:
    """Noisy weights and residual sums of all cells: one measurement of k * (r + 1) integers."""
    noisy = measurer.sums(
        name,
        contributions(epoch, where),
        rho=rho,
        l2=UNITY,
        statistic="residuals to the nearest centre, norm 1 per unit",
    )
    count_part, sum_part = np.sqrt(COUNT_SHARE) * UNITY, np.sqrt(1 - COUNT_SHARE) * UNITY / LENGTH
    return Cells(
        weights=noisy.values[:, 0] / count_part,
        sums=noisy.values[:, 1:] / sum_part,
        weight_sigma=noisy.sigma / count_part,
        sum_sigma=noisy.sigma / sum_part,
    )


def contributions(epoch: BoundedEpoch, where: Frame) -> NDArray[np.int64]:
    """Exact fixed-point sums over units, (k, r + 1): column 0 the count coordinate. One unit has norm <= UNITY."""
    total = np.zeros((len(where.centres), where.basis.shape[1] + 1), np.int64)
    starts = (
        np.flatnonzero(np.r_[True, epoch.unit_of[1:] != epoch.unit_of[:-1]]) if len(epoch) else np.zeros(0, np.int64)
    )
    for start, stop in _unit_chunks(starts, len(epoch)):
        cell, row = _row_vectors(epoch.vectors[start:stop], where)
        key, steps = _unit_steps(epoch.unit_of[start:stop], cell, row)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        heads = np.flatnonzero(np.r_[True, np.diff(ordered) != 0])
        total[ordered[heads]] += np.add.reduceat(steps[order], heads, axis=0)
    return total


def _unit_chunks(starts: NDArray[np.int64], rows: int) -> list[tuple[int, int]]:
    """Row ranges of bounded size that cut no unit in two."""
    edges = [0]
    for wanted in range(grid.CHUNK, rows, grid.CHUNK):
        edge = int(starts[min(int(np.searchsorted(starts, wanted)), len(starts) - 1)])
        if edge > edges[-1]:
            edges.append(edge)
    return [(a, b) for a, b in pairwise([*edges, rows]) if b > a]


def _row_vectors(vectors: NDArray[np.float16], where: Frame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cell of each row and its (r + 1) contribution before the unit's scaling; a lone row has norm <= 1."""
    rows = grid.quantise(vectors)
    cell = (rows @ where.centres.T).argmax(axis=1).astype(np.int64)
    residual = ((rows @ where.basis) - where.anchors[cell]) / grid.STEP**2
    length = np.sqrt((residual * residual).sum(axis=1, keepdims=True))
    residual *= np.sqrt(1 - COUNT_SHARE) / np.maximum(length, RADIUS)
    return cell, np.hstack([np.full((len(rows), 1), np.sqrt(COUNT_SHARE)), residual])


def _unit_steps(
    unit: NDArray[np.int32], cell: NDArray[np.int64], row: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells touched by each unit and the fixed-point vector it adds there; over its cells a unit has norm <= UNITY.

    The norm is checked once more in integers: a unit that rounding took over the bound adds nothing.
    """
    order = np.lexsort((np.arange(len(unit)), cell, unit))
    unit, cell, row = unit[order], cell[order], row[order]
    heads = np.flatnonzero(np.r_[True, (np.diff(unit) != 0) | (np.diff(cell) != 0)])
    if len(heads) < len(unit):
        unit, cell, row = unit[heads], cell[heads], np.add.reduceat(row, heads, axis=0)
    first = np.flatnonzero(np.r_[True, np.diff(unit) != 0])
    owner = np.cumsum(np.r_[False, np.diff(unit) != 0])
    norm = np.sqrt(np.add.reduceat((row * row).sum(axis=1), first))
    steps = np.trunc(row * (UNITY / np.maximum(norm, 1.0))[owner, None]).astype(np.int64)
    over = np.add.reduceat((steps * steps).sum(axis=1), first) > UNITY**2
    steps[over[owner]] = 0
    return cell, steps
