"""What lint says and what it is told: a finding, and the circumstances that no policy holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

PLAUSIBLE_USERS = 10_000  # users of an epoch, where nobody says how many: less hardly repays a release


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend (error) or to think about (warning)."""

    rule: str
    severity: Literal["error", "warning"]
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What lint is told besides the policy.

    users: expected in an epoch. held: roles that hold a living API key.
    """

    today: date
    users: int = PLAUSIBLE_USERS
    held: Collection[str] | None = None


def error(rule: str, place: str, message: str) -> Finding:
    """Something to mend."""
    return Finding(rule=rule, severity="error", field=place, message=message)


def warning(rule: str, place: str, message: str) -> Finding:
    """Something to think about."""
    return Finding(rule=rule, severity="warning", field=place, message=message)
