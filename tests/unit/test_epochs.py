"""Epoch names: each moment lies in the epoch that bears its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import InputError
from sfumato.model.epochs import epoch_of, span, year_of

LENGTHS = ["day", "week", "month", "quarter", "year"]
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001


@given(moment=moments, length=st.sampled_from(LENGTHS))
def test_a_moment_lies_within_the_epoch_of_its_name(moment: datetime, length: str) -> None:
    first, after = span(epoch_of(moment, length), length)
    assert first <= moment < after
    assert epoch_of(after, length) != epoch_of(moment, length) == epoch_of(after - timedelta(microseconds=1), length)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("2026", "month"),
        ("2026-13", "month"),
        ("2026-W54", "week"),
        ("../x", "day"),
        ("2026-Q5", "quarter"),
        ("٢٠٢٦", "year"),
    ],
)
def test_a_name_that_is_no_epoch_of_this_length_is_refused(name: str, length: str) -> None:
    with pytest.raises(InputError, match="write it like 2026"):
        span(name, length)


def test_the_year_is_the_one_in_the_name() -> None:
    assert year_of("2026-W01") == "2026"
