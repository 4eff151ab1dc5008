"""Adding one user, however adversarial, moves no statistic of a live answer by more than its mechanism declares."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from live_queries import CODES, LEAVES, centroids, columns_of, extracts, frame_of, policy, random_questions, terms_of
from replay import Recording, Replaying, within
from sfumato.live import design as designs
from sfumato.live import measure
from sfumato.model.extract import Extracts
from sfumato.privacy.measure import Measurer
from sfumato.topics import counts

POLICY = policy()
FRAME, TERMS = frame_of(POLICY), terms_of(POLICY)
QUESTIONS = random_questions(60, seed=5)
ID = 10**9


def with_user(batch: Extracts, extra: Extracts, place: int) -> Extracts:
    """The rows of another user put among the others'."""
    at = [*range(place), *range(len(batch), len(batch) + len(extra)), *range(place, len(batch))]
    ids = {
        name: [[*getattr(batch, name), *getattr(extra, name)][row] for row in at]
        for name in ("conversation_ids", "unit_ids")
    }
    vectors = np.concatenate([batch.vectors, extra.vectors])[at]
    facets = {name: np.concatenate([batch.facets[name], extra.facets[name]])[at] for name in batch.facets}
    return dataclasses.replace(batch, **ids, vectors=vectors, facets=facets, phrases=[()] * len(at))


def one_user(rows: int, seed: int, *, same: bool, repeated: bool) -> Extracts:
    """One user's conversations: all alike, or each another; ids that stand once, or all twice."""
    draw = np.random.default_rng(seed)
    spread = np.zeros(rows, int) if same else np.arange(rows)
    facets = {}
    for name, count in CODES.items():
        first = (spread + int(draw.integers(0, count))) % count
        facets[name] = first.astype(np.int16)
        if name == "tools":
            facets[name] = np.stack([first, (first + 1) % count], axis=1).astype(np.int16)
    numbers = np.arange(rows) // (2 if repeated else 1)
    return Extracts(
        conversation_ids=[(ID + int(number)).to_bytes(16, "big") for number in numbers],
        unit_ids=[int(seed * 7_919).to_bytes(16, "big")] * rows,
        phrases=[()] * rows,
        facets=facets,
        vectors=centroids()[spread % LEAVES].astype(np.float16),
    )


def measured(batch, question, noise):
    made = designs.design(question, FRAME, TERMS)
    measurer = Measurer(noise, rho=TERMS.rho, delta=0)
    measure.measured(columns_of(batch, POLICY), question, FRAME, design=made, measurer=measurer)
    assert sum(one.rho for one in measurer.mechanisms) == TERMS.rho
    assert [one.l2 for one in measurer.mechanisms] == [part.l2 for part in made.parts]
    return measurer.mechanisms, noise


def excess(batch, extra, *, place, question):
    """Names of the statistics that the user moves beyond what their mechanisms declare."""
    mechanisms, first = measured(batch, question, Recording())
    again, second = measured(with_user(batch, extra, place), question, Replaying(first))
    assert again == mechanisms
    return [
        one.name
        for one, before, after in zip(mechanisms, first.seen, second.seen, strict=True)
        if not within(one, before, after)
    ]


CROWD = extracts(40, 3, seed=1)
WORST = one_user(60, 1, same=False, repeated=False)
CONCENTRATED = one_user(60, 2, same=True, repeated=False)
users = st.builds(
    one_user, st.sampled_from([1, 2, 6, 7, 60]), st.integers(1, 99), same=st.booleans(), repeated=st.booleans()
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(extra=users, place=st.integers(0, len(CROWD)), number=st.integers(0, len(QUESTIONS) - 1))
@example(extra=WORST, place=0, number=0)
@example(extra=CONCENTRATED, place=120, number=1)
def test_no_user_moves_an_answer_beyond_its_declared_bounds(extra, place, number):
    """Changed cells, largest change, Euclidean norm; for users, conversations and sums of means alike."""
    assert excess(CROWD, extra, place=place, question=QUESTIONS[number]) == []


@pytest.mark.parametrize("question", QUESTIONS[:20], ids=range(20))
def test_the_bounds_hold_beside_nobody(question):
    """An epoch of one user against an empty one is no exception."""
    nobody = dataclasses.replace(
        CROWD, conversation_ids=[], unit_ids=[], phrases=[], vectors=CROWD.vectors[:0],
        facets={name: codes[:0] for name, codes in CROWD.facets.items()},
    )  # fmt: skip
    assert excess(nobody, WORST, place=0, question=question) == []


def _unlimited(unit_of, key, *, size, limit, code=None, steps=None):
    return KEPT(unit_of, key, size=size, limit=10**6, code=code, steps=steps)


def _summed(unit_of, key, *, size, limit, code=None, steps=None):
    """A unit's sum instead of its mean."""
    keys, sums = KEPT(unit_of, key, size=size, limit=limit, code=code, steps=steps)
    return keys, None if sums is None else sums * keys.rows


def _unclipped(keys, *, reach):
    return keys.rows * counts.STEPS


KEPT = measure.kept


@pytest.mark.parametrize(
    ("owner", "part", "broken", "victim"),
    [
        (measure, "kept", _unlimited, "users"),
        (measure, "kept", _unlimited, "mean"),
        (measure, "kept", _summed, "mean"),
        (counts, "bounded_rows", _unclipped, "conversations"),
    ],
    ids=["cells of users", "cells of means", "means", "rows"],
)
def test_a_broken_bound_is_caught(monkeypatch, owner, part, broken, victim):
    """Each bound is taken away in turn, and the check above then names the statistic that it protected."""
    monkeypatch.setattr(owner, part, broken)
    found = {
        name
        for extra in (WORST, CONCENTRATED)
        for one in QUESTIONS
        for name in excess(CROWD, extra, place=9, question=one)
    }
    assert victim in found


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_a_unit_keeps_is_what_counting_by_hand_gives(data):
    """The `limit` cells with most rows, ties to the lower cell, and the mean cut towards zero; against plain loops."""
    rows = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2)), max_size=40))
    limit, steps = data.draw(st.integers(1, 4)), np.asarray([-7, 0, 10])
    rows.sort(key=lambda row: row[0])
    unit, key, code = (np.asarray([row[at] for row in rows], np.int64) for at in range(3))
    keys, sums = measure.kept(unit.astype(np.int32), key, size=6, limit=limit, code=code, steps=steps)
    expected = []
    for one in sorted(set(unit.tolist())):
        held: dict[int, list[int]] = {}
        for _, cell, value in (row for row in rows if row[0] == one):
            held.setdefault(cell, []).append(int(steps[value]))
        best = sorted(held, key=lambda cell: (-len(held[cell]), cell))[:limit]
        expected += [(one, cell, len(held[cell]), int(sum(held[cell]) / len(held[cell]))) for cell in best]
    found = list(zip(keys.unit.tolist(), keys.key.tolist(), keys.rows.tolist(), sums.tolist(), strict=True))
    assert sorted(found) == sorted(expected)
