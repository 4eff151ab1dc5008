"""Epochs by name: `2026-11`, `2026-W47`, `2026-11-21`, `2026-Q4`, `2026`; when they are, which year they are of."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from sfumato.errors import InputError

Length = Literal["day", "week", "month", "quarter", "year"]

_SHAPES: dict[Length, str] = {
    "day": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "week": r"[0-9]{4}-W[0-9]{2}",
    "month": r"[0-9]{4}-[0-9]{2}",
    "quarter": r"[0-9]{4}-Q[1-4]",
    "year": r"[0-9]{4}",
}


def epoch_of(moment: datetime, length: Length) -> str:
    """The name of the epoch in which a moment lies, in UTC."""
    day = moment.astimezone(UTC).date()
    if length == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if length == "quarter":
        return f"{day.year:04d}-Q{(day.month + 2) // 3}"
    return day.isoformat()[: {"day": 10, "month": 7, "year": 4}[length]]


def span(name: str, length: Length) -> tuple[datetime, datetime]:
    """First moment of an epoch and first moment after it, in UTC.

    Raises:
        InputError: the name is not one of an epoch of this length.
    """
    try:
        first = _first_day(name, length)
        after = _first_day_after(first, length)
    except (ValueError, OverflowError):
        example = epoch_of(datetime(2026, 11, 21, tzinfo=UTC), length)
        raise InputError(f"--epoch: the policy's epoch is a {length}; write it like {example}") from None
    return datetime(first.year, first.month, first.day, tzinfo=UTC), datetime(
        after.year, after.month, after.day, tzinfo=UTC
    )


def overlap(name: str, other: str) -> bool:
    """Whether two epochs of different names share days. Names of no known shape share none."""
    spans = [span(one, length) for one in (name, other) for length in _SHAPES if re.fullmatch(_SHAPES[length], one)]
    if name == other or len(spans) != 2:  # noqa: PLR2004 - one span each
        return False
    (first, after), (other_first, other_after) = spans
    return first < other_after and other_first < after


def year_of(name: str) -> str:
    """The year an epoch's charges count towards."""
    return name[:4]


def _first_day(name: str, length: Length) -> date:
    if not re.fullmatch(_SHAPES[length], name):
        raise ValueError(length)
    if length == "week":
        return date.fromisocalendar(int(name[:4]), int(name[6:]), 1)
    if length == "quarter":
        return date(int(name[:4]), 3 * int(name[6]) - 2, 1)
    return date.fromisoformat(name + {"day": "", "month": "-01", "year": "-01-01"}[length])


def _first_day_after(first: date, length: Length) -> date:
    if length == "year":
        return first.replace(year=first.year + 1)
    months = {"month": 1, "quarter": 3}.get(length)
    if months:
        index = first.month - 1 + months
        return date(first.year + index // 12, index % 12 + 1, 1)
    return first + timedelta(days=7 if length == "week" else 1)
