"""Contribution bounding: whatever one unit sends, others keep their rows and it keeps no more than its share."""

from __future__ import annotations

import hashlib
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.model.extract import Extracts
from sfumato.privacy.bounds import BoundedEpoch, Shape, bound

Row = tuple[int, int, tuple[str, ...]]  # unit, conversation, phrases
rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 40), st.lists(st.text(max_size=4), max_size=3).map(tuple)), max_size=60
)


def hashed(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()[:16]


def extracts(data: list[Row], relevant: list[bool] | None = None) -> Extracts:
    return Extracts(
        unit_ids=[hashed("unit", unit) for unit, _, _ in data],
        conversation_ids=[hashed("conversation", unit, conversation) for unit, conversation, _ in data],
        phrases=[phrases for _, _, phrases in data],
        facets={"turns": np.array([conversation % 5 for _, conversation, _ in data], np.int16)},
        vectors=np.array([[unit, conversation] for unit, conversation, _ in data], np.float16).reshape(-1, 2),
        relevant=None if relevant is None else np.array(relevant, bool),
    )


def kept(epoch: BoundedEpoch) -> dict[int, list[tuple[int, ...]]]:
    """Rows by unit, as the vectors tell them."""
    by_unit: dict[int, list[tuple[int, ...]]] = {}
    for vector in epoch.vectors.astype(int).tolist():
        by_unit.setdefault(vector[0], []).append(tuple(vector))
    return by_unit


@settings(deadline=None)
@given(data=rows, limit=st.integers(1, 5), pieces=st.integers(1, 4))
def test_no_unit_keeps_more_than_its_limit_and_copies_count_once(data: list[Row], limit: int, pieces: int) -> None:
    epoch = bound([extracts(data[i::pieces]) for i in range(pieces)], conversations_per_unit=limit)
    sent: dict[int, set[int]] = {}
    for unit, conversation, _ in data:
        sent.setdefault(unit, set()).add(conversation)
    found = kept(epoch)
    assert {unit: len(rows) for unit, rows in found.items()} == {unit: min(limit, len(c)) for unit, c in sent.items()}
    assert all(len(set(rows)) == len(rows) for rows in found.values())
    assert (np.diff(epoch.unit_of) >= 0).all()
    assert epoch.units == len(sent)


@settings(deadline=None)
@given(
    data=rows,
    limit=st.integers(1, 5),
    intruder=st.lists(st.tuples(st.integers(0, 400), st.text(max_size=3)), max_size=80),
)
def test_a_unit_more_changes_nobody_elses_rows(data: list[Row], limit: int, intruder: list[tuple[int, str]]) -> None:
    before = kept(bound([extracts(data)], conversations_per_unit=limit))
    joined = [*data, *((7, conversation, (phrase,)) for conversation, phrase in intruder)]
    after = kept(bound([extracts(joined)], conversations_per_unit=limit))
    assert len(after.pop(7, [])) <= limit
    assert after == before


screened_rows = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40), st.booleans()), max_size=60)
SCREENED = Shape(screened=True)


@settings(deadline=None)
@given(data=screened_rows, limit=st.integers(1, 5), pieces=st.integers(1, 4))
def test_a_screener_counts_each_unit_once_on_each_side_and_keeps_what_it_let_through(
    data: list[tuple[int, int, bool]], limit: int, pieces: int
) -> None:
    parts = [data[i::pieces] for i in range(pieces)]
    batches = [
        extracts([(unit, number, ()) for unit, number, _ in part], [let for _, _, let in part]) for part in parts
    ]
    epoch = bound(batches, conversations_per_unit=limit, shape=SCREENED)
    inside, outside = ({unit for unit, _, let in data if let is side} for side in (True, False))
    assert epoch.screened is not None
    assert epoch.screened.tolist() == [len(inside), len(outside)]
    let_through: dict[int, set[int]] = {}
    for unit, number, let in data:
        if let:
            let_through.setdefault(unit, set()).add(number)
    found = kept(epoch)
    assert {unit: len(rows) for unit, rows in found.items()} == {
        unit: min(limit, len(numbers)) for unit, numbers in let_through.items()
    }
    assert all(number in let_through[unit] for unit, rows in found.items() for _, number in rows)


@settings(deadline=None)
@given(data=rows)
def test_phrases_and_facets_stay_with_their_rows(data: list[Row]) -> None:
    epoch = bound([extracts(data)], conversations_per_unit=100)
    copies: dict[tuple[int, int], set[tuple[str, ...]]] = {}
    for unit, conversation, phrases in data:
        copies.setdefault((unit, conversation), set()).add(tuple(dict.fromkeys(phrases)))
    for row, vector in enumerate(epoch.vectors.astype(int).tolist()):
        ids = epoch.phrase_ids[epoch.phrase_offsets[row] : epoch.phrase_offsets[row + 1]]
        assert tuple(epoch.phrases[i] for i in ids) in copies[vector[0], vector[1]]
        assert epoch.facets["turns"][row] == vector[1] % 5


@settings(deadline=None)
@given(
    copies=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=40),
    shuffled=st.randoms(use_true_random=False),
    pieces=st.integers(1, 5),
)
def test_which_copy_of_a_conversation_counts_does_not_depend_on_where_it_lies(
    copies: list[tuple[int, int, int]], shuffled: Random, pieces: int
) -> None:
    """Other users decide where a record lies on the disk: if that chose the copy, they would choose it."""

    def counted(rows: list[tuple[int, int, int]], cuts: int) -> set[tuple[int, ...]]:
        batches = []
        for start in range(cuts):
            part = rows[start::cuts]
            batch = extracts([(unit, conversation, (f"phrase {content}",)) for unit, conversation, content in part])
            batch.facets["turns"][:] = [content for _, _, content in part]
            batches.append(batch)
        epoch = bound(batches, conversations_per_unit=2)
        turns = epoch.facets["turns"].tolist()
        return {(*vector, count) for vector, count in zip(epoch.vectors.astype(int).tolist(), turns, strict=True)}

    again = list(copies)
    shuffled.shuffle(again)
    assert counted(copies, 1) == counted(again, pieces)
