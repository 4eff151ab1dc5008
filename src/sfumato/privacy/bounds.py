"""PRIVATE. Step 0: what one unit of privacy may contribute to an epoch, enforced before anything is counted.

Which of a unit's conversations stay is decided by that unit's own records alone, so that adding or removing a unit
changes nobody else's rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.model.extract import Extracts

WIDTH = 384  # of a sentence vector
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BoundedEpoch(Private):
    """An epoch after contribution bounding: n conversations of `units` units, each unit's rows side by side.

    unit_of: (n,) int32, ascending from 0. vectors: (n, d) float16.
    phrase_ids: candidate phrases of row i are phrase_ids[phrase_offsets[i]:phrase_offsets[i + 1]], best first;
    phrases: the string of each id. facets: per facet (n,) codes into its domain, or (n, k) filled up with -1.
    summaries: n strings in guarded mode; elsewhere none. screened: units with a conversation that the screener let
    through, and units with one that it did not (2,), before rows were bounded; None without a screener.
    """

    units: int
    unit_of: NDArray[np.int32]
    vectors: NDArray[np.float16]
    phrase_offsets: NDArray[np.int64]
    phrase_ids: NDArray[np.int32]
    phrases: Sequence[str]
    facets: Mapping[str, NDArray[np.int16]]
    summaries: Sequence[str] = ()
    screened: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.unit_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The columns of an epoch, which may not depend on who is in it: what is measured follows from them.

    facets: values that one conversation may have of each. screened: whether there is a screener. width: of a vector.
    """

    facets: Mapping[str, int] = field(default_factory=dict)
    screened: bool = False
    width: int = WIDTH


NO_FACETS = Shape()


def bound(batches: Iterable[Extracts], *, conversations_per_unit: int, shape: Shape = NO_FACETS) -> BoundedEpoch:
    """At most `conversations_per_unit` conversations of each unit, duplicates removed.

    A conversation id seen twice under one unit counts once (an interrupted run leaves copies; some logs repeat a
    conversation each time it grows). Which copy stays follows from the copies' content alone: where they lie on the
    disk depends on other users. The ids are keyed hashes, so keeping a unit's smallest ids samples its conversations
    uniformly and without state. shape: what an epoch without any conversation has columns for.
    """
    if conversations_per_unit < 1:
        raise ValueError("conversations_per_unit must be at least 1")
    held = list(batches)
    units = _words(chain.from_iterable(batch.unit_ids for batch in held))
    conversations = _words(chain.from_iterable(batch.conversation_ids for batch in held))
    tie = _content_of_copies(held, units, conversations)
    order = np.lexsort((tie, conversations[:, 1], conversations[:, 0], units[:, 1], units[:, 0]))
    relevant = _relevant(held)
    screened = np.zeros(2, np.int64) if shape.screened else None
    if relevant is not None:
        screened = _screened(units[order], relevant[order])
    if relevant is not None:
        order = order[relevant[order]]
    keep, unit_of = _kept(units[order], conversations[order], conversations_per_unit)
    rows = order[keep]
    offsets, ids, phrases = _phrase_columns(held, rows)
    return BoundedEpoch(
        units=int(unit_of[-1]) + 1 if len(unit_of) else 0,
        unit_of=unit_of,
        vectors=_gather([batch.vectors for batch in held], rows) if held else np.zeros((0, shape.width), np.float16),
        phrase_offsets=offsets,
        phrase_ids=ids,
        phrases=phrases,
        facets={
            name: _gather([batch.facets[name] for batch in held], rows) for name in (held[0].facets if held else ())
        }
        or {name: _no_codes(values) for name, values in shape.facets.items()},
        summaries=_summaries(held, rows),
        screened=screened,
    )


def _no_codes(values: int) -> NDArray[np.int16]:
    """A facet's column without rows."""
    return np.zeros((0, values) if values > 1 else 0, np.int16)


def _words(ids: Iterable[bytes]) -> NDArray[np.uint64]:
    """Keyed hashes as pairs of 64-bit words: (n, 2)."""
    return np.frombuffer(b"".join(ids), dtype=">u8").reshape(-1, 2).astype(np.uint64)


def _relevant(batches: Sequence[Extracts]) -> NDArray[np.bool_] | None:
    """(n,) what the screener said of every row, or None where none was asked."""
    said = [batch.relevant for batch in batches if batch.relevant is not None]
    if len(said) not in {0, len(batches)}:
        raise ValueError("some batches of an epoch were screened and others were not")
    return np.concatenate(said) if said else None


def _screened(units: NDArray[np.uint64], relevant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Distinct units (rows sorted by unit) with a relevant row, and with one that is not: (2,), each unit once."""
    unit = np.cumsum(np.r_[True, (units[1:] != units[:-1]).any(axis=1)]) if len(units) else np.zeros(0, np.int64)
    return np.asarray([len(np.unique(unit[relevant])), len(np.unique(unit[~relevant]))], np.int64)


def _summaries(batches: Sequence[Extracts], rows: NDArray[np.int64]) -> list[str]:
    if not any(batch.summaries for batch in batches):
        return []
    every = list(chain.from_iterable(batch.summaries for batch in batches))
    return [every[row] for row in rows]


def _kept(
    units: NDArray[np.uint64], conversations: NDArray[np.uint64], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Positions (in sorted order) that stay, and the unit index of each."""
    count = len(units)
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    new_unit = np.r_[True, (units[1:] != units[:-1]).any(axis=1)]
    distinct = new_unit | np.r_[True, (conversations[1:] != conversations[:-1]).any(axis=1)]
    unit_of = np.cumsum(new_unit) - 1
    seen = np.cumsum(distinct)
    rank = seen - seen[np.flatnonzero(new_unit)][unit_of]
    keep = np.flatnonzero(distinct & (rank < limit))
    return keep, unit_of[keep].astype(np.int32)


def _content_of_copies(
    batches: Sequence[Extracts], units: NDArray[np.uint64], conversations: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """A digest of the content of each row whose conversation is there more than once; 0 for all others."""
    tie = np.zeros(len(units), np.uint64)
    order = np.lexsort((conversations[:, 1], conversations[:, 0], units[:, 1], units[:, 0]))
    same = (units[order][1:] == units[order][:-1]).all(axis=1)
    same &= (conversations[order][1:] == conversations[order][:-1]).all(axis=1)
    starts = np.cumsum([0, *(len(batch) for batch in batches)])
    for row in np.unique(np.r_[order[1:][same], order[:-1][same]]).tolist():
        index = int(np.searchsorted(starts, row, side="right")) - 1
        tie[row] = _digest(batches[index], row - int(starts[index]))
    return tie


def _digest(batch: Extracts, row: int) -> int:
    content = hashlib.blake2b(batch.vectors[row].tobytes(), digest_size=8)
    codes = [codes[row].tolist() for _, codes in sorted(batch.facets.items())]
    content.update(repr((batch.phrases[row], codes, *batch.summaries[row : row + 1])).encode())
    return int.from_bytes(content.digest(), "big")


def _gather(parts: Sequence[NDArray[Scalar]], rows: NDArray[np.int64]) -> NDArray[Scalar]:
    """Rows of the concatenation of `parts`, of which there is at least one, without building the concatenation."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    out = np.empty((len(rows), *parts[0].shape[1:]), parts[0].dtype)
    source = np.searchsorted(starts, rows, side="right") - 1
    for index, part in enumerate(parts):
        here = np.flatnonzero(source == index)
        out[here] = part[rows[here] - starts[index]]
    return out


def _phrase_columns(
    batches: Sequence[Extracts], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], list[str]]:
    """Ragged candidate phrases of the kept rows, as ids into a list of strings."""
    every = list(chain.from_iterable(batch.phrases for batch in batches))
    number: dict[str, int] = {}
    ids = [[number.setdefault(phrase, len(number)) for phrase in dict.fromkeys(every[row])] for row in rows]
    offsets = np.cumsum([0, *(len(row) for row in ids)], dtype=np.int64)
    return offsets, np.fromiter(chain.from_iterable(ids), np.int32, count=int(offsets[-1])), list(number)
