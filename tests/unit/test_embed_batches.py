"""Batches: each text once, in a shape that is a function of its own length, whatever else is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.embed.batches import CHUNK_TEXTS, ROWS, TOKENS, chunks, padded_length, plan
from sfumato.embed.sentences import _windows

COUNTS = st.lists(st.integers(2, TOKENS), max_size=300)


@given(COUNTS)
def test_every_text_is_in_one_batch_that_holds_its_tokens_and_is_not_overfull(counts):
    batches = plan(counts)
    assert sorted(member for batch in batches for member in batch.members) == list(range(len(counts)))
    for batch in batches:
        assert 1 <= len(batch.members) <= ROWS[batch.length]
        assert all(padded_length(counts[member]) == batch.length >= counts[member] for member in batch.members)


def test_batches_are_full_before_another_is_opened():
    assert [len(batch.members) for batch in plan([10] * (2 * ROWS[16] + 1))] == [ROWS[16], ROWS[16], 1]


def test_more_tokens_than_the_model_reads_are_refused():
    with pytest.raises(ValueError, match="truncated first"):
        plan([TOKENS + 1])


@given(st.lists(st.integers(0, 5000), max_size=400))
def test_every_text_is_in_one_errand_and_texts_of_an_errand_are_neighbours_in_length(characters):
    errands = chunks(characters)
    order = [place for errand in errands for place in errand]
    assert sorted(order) == list(range(len(characters)))
    lengths = [characters[place] for place in order]
    assert lengths == sorted(lengths, reverse=True)


def test_errands_are_bounded_in_texts_and_in_work():
    assert max(map(len, chunks([0] * 5000))) <= CHUNK_TEXTS
    assert max(map(len, chunks([4000] * 500))) < 60


def test_windows_are_bounded_in_texts_and_characters_and_keep_the_order():
    texts = [f"{number}" for number in range(20_000)]
    windows = list(_windows(iter(texts)))
    assert [text for window in windows for text in window] == texts
    assert max(map(len, windows)) == 8192
    assert [len(window) for window in _windows(["x" * 3_000_000] * 3)] == [2, 1]


def test_a_stream_is_read_one_window_at_a_time():
    read = []
    windows = _windows(text for text in map(str, range(20_000)) if read.append(text) is None)
    next(windows)
    assert len(read) == 8192
