"""Step 1: which phrases may be published at all, by partition selection over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer

FLOOR = 3  # a phrase of fewer units never reaches the mechanism


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Released phrases, most users first. ids: their ids in the epoch. users: noisy counts with `sigma`."""

    ids: NDArray[np.int64]
    texts: tuple[str, ...]
    users: NDArray[np.int64]
    sigma: float


def unit_phrases(epoch: BoundedEpoch, *, limit: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Each unit's at most `limit` distinct phrases as pairs (unit, phrase id), by that unit's rows alone.

    A unit's conversations take turns: first the best phrase of each, then the second best, until the limit.
    """
    sizes = np.diff(epoch.phrase_offsets)
    rows = np.repeat(np.arange(len(epoch)), sizes)
    place = np.arange(len(epoch.phrase_ids)) - np.repeat(epoch.phrase_offsets[:-1], sizes)
    unit = epoch.unit_of[rows]
    order = np.lexsort((rows, place, unit))
    unit, phrase = unit[order], epoch.phrase_ids[order]
    fresh = np.sort(np.unique(unit.astype(np.int64) << 32 | phrase, return_index=True)[1])
    unit, phrase = unit[fresh], phrase[fresh]
    rank = np.arange(len(unit)) - np.searchsorted(unit, unit)
    return unit[rank < limit], phrase[rank < limit]


def select(epoch: BoundedEpoch, measurer: Measurer, *, limit: int, rho: int, delta: int) -> Vocabulary:
    """Phrases held by enough units, with noisy counts; each unit counts once in at most `limit` phrases."""
    _, phrase = unit_phrases(epoch, limit=limit)
    held = np.bincount(phrase, minlength=len(epoch.phrases))
    keys = np.flatnonzero(held)
    counts = dict(zip(keys.tolist(), held[keys].tolist(), strict=True))
    found = measurer.select(
        "vocabulary", counts, rho=rho, delta=delta, l0=limit, floor=FLOOR, statistic="units proposing a phrase"
    )
    ids = sorted(found.counts, key=lambda key: (-found.counts[key], epoch.phrases[key]))
    return Vocabulary(
        ids=np.asarray(ids, np.int64),
        texts=tuple(epoch.phrases[key] for key in ids),
        users=np.asarray([found.counts[key] for key in ids], np.int64),
        sigma=found.sigma,
    )
