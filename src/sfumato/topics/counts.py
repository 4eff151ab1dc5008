"""Step 5: users, conversations, phrases and facets of topics, each unit's contribution bounded first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer, Noisy

STEPS = 2**10  # fixed-point steps in one conversation
BIN_EDGES = (1, 2, 3, 5, 8, 13, 21)  # users by their number of conversations, in bins [1], [2], [3, 4], [5, 7], ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Which unit touches which key, and with how many of its conversations: three parallel columns."""

    unit: NDArray[np.int64]
    key: NDArray[np.int64]
    rows: NDArray[np.int64]


def kept_keys(unit_of: NDArray[np.int32], key: NDArray[np.int64], *, limit: int) -> Keys:
    """Each unit's `limit` keys with most rows; ties go to the key seen first among the unit's own rows.

    Rows with a negative key are left out. Nothing here depends on a unit's number or place among the others.
    """
    at = np.flatnonzero(key >= 0)
    unit, key = unit_of[at].astype(np.int64), key[at]
    order = np.lexsort((at, key, unit))
    heads = np.flatnonzero(np.r_[True, (np.diff(unit[order]) != 0) | (np.diff(key[order]) != 0)]) if len(at) else at
    rows = np.diff(np.r_[heads, len(at)])
    first = order[heads]
    best = np.lexsort((first, -rows, unit[first]))
    first, rows = first[best], rows[best]
    rank = np.arange(len(first)) - np.searchsorted(unit[first], unit[first])
    stay = rank < limit
    return Keys(unit=unit[first][stay], key=key[first][stay], rows=rows[stay])


def users(keys: Keys, size: int, measurer: Measurer, *, name: str, rho: int, l0: int) -> Noisy:
    """Noisy distinct units per key, keys 0 to size - 1; `keys` must come from `kept_keys` with limit = l0."""
    values = np.bincount(keys.key, minlength=size).astype(np.int64)
    if len(values) != size:
        raise ValueError("a key lies outside the declared ones")
    return measurer.counts(name, values, rho=rho, l0=l0, statistic="distinct units per key")


def conversations(
    keys: Keys, size: int, measurer: Measurer, *, name: str, rho: int, reach: int
) -> tuple[NDArray[np.float64], float]:
    """Noisy conversations per key and their noise scale; a unit's counts have Euclidean norm `reach` at most."""
    values = np.zeros(size, np.int64)
    np.add.at(values, keys.key, bounded_rows(keys, reach=reach))
    noisy = measurer.sums(name, values, rho=rho, l2=reach * STEPS, statistic="conversations per key, fixed point")
    return noisy.values / STEPS, noisy.sigma / STEPS


def bounded_rows(keys: Keys, *, reach: int) -> NDArray[np.int64]:
    """Fixed-point row counts; over one unit's keys the Euclidean norm is at most reach * STEPS, checked in integers."""
    if not len(keys.unit):
        return np.zeros(0, np.int64)
    first = np.flatnonzero(np.r_[True, np.diff(keys.unit) != 0])
    owner = np.cumsum(np.r_[False, np.diff(keys.unit) != 0])
    norm = np.sqrt(np.add.reduceat(keys.rows * keys.rows, first).astype(np.float64))
    steps: NDArray[np.int64] = np.trunc(keys.rows * np.minimum(1.0, reach / norm)[owner] * STEPS).astype(np.int64)
    over = np.add.reduceat(steps * steps, first) > (reach * STEPS) ** 2
    steps[over[owner]] = 0
    return steps


def activity(epoch: BoundedEpoch, measurer: Measurer, *, rho: int, cap: int) -> Noisy:
    """Noisy number of units in each bin of conversations per unit; every unit stands in one bin.

    Bins that begin beyond `cap`, the conversations that a unit may have, would hold noise alone: there are none.
    """
    edges = [edge for edge in BIN_EDGES if edge <= cap]
    rows = np.bincount(epoch.unit_of, minlength=epoch.units)
    bins = np.searchsorted(edges, rows[rows > 0], side="right") - 1
    values = np.bincount(bins, minlength=len(edges)).astype(np.int64)
    return measurer.counts("people", values, rho=rho, l0=1, statistic="units by number of conversations")


def total_conversations(epoch: BoundedEpoch, measurer: Measurer, *, rho: int, cap: int) -> Noisy:
    """Noisy number of conversations; a unit counts with `cap` of them at most."""
    rows = np.minimum(np.bincount(epoch.unit_of, minlength=epoch.units), cap)
    return measurer.counts(
        "conversations", np.asarray([rows.sum()], np.int64), rho=rho, l0=1, linf=cap, statistic="conversations"
    )


def reach_of(bins: Noisy, *, share: float, most: int) -> int:
    """Smallest number of conversations that a `share` of units stays within, by the noisy bins; at most `most`.

    Units beyond count as more than the rest of the share where they clear the noise of their bins' sum by one standard
    deviation: a bound that follows noise would cost every later count a multiple of its own noise.
    """
    held = bins.values.astype(np.float64)
    beyond = np.append(np.cumsum(held[::-1])[::-1][1:], 0.0)  # units past each bin
    noise = bins.sigma * np.sqrt(np.arange(len(held) - 1, -1, -1))
    place = int(np.argmax(beyond <= (1 - share) * max(float(held.sum()), 0.0) + noise))
    upper = BIN_EDGES[place + 1] - 1 if place + 1 < len(held) else most
    return max(1, min(upper, most))


def phrase_keys(
    epoch: BoundedEpoch, leaf: NDArray[np.int32], slot: NDArray[np.int32], number: NDArray[np.int32], *, limit: int
) -> Keys:
    """Each unit's at most `limit` (leaf, candidate phrase) pairs, as keys leaf * slots + slot.

    slot: (leaves, vocabulary) place of a phrase in that leaf's candidate list, -1 where it is not on it.
    number: vocabulary index of each phrase id of the epoch, -1 where it was not released.
    """
    sizes = np.diff(epoch.phrase_offsets)
    rows = np.repeat(np.arange(len(epoch)), sizes)
    index = number[epoch.phrase_ids]
    rows, index = rows[index >= 0], index[index >= 0]
    place = slot[leaf[rows], index].astype(np.int64)
    key = np.where(place >= 0, leaf[rows].astype(np.int64) * (int(slot.max(initial=0)) + 1) + place, -1)
    return kept_keys(epoch.unit_of[rows], key, limit=limit)
