"""Which noisy numbers are large enough to be shown, decided on noisy values alone: that costs and leaks nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Smallest noisy users and conversations of a topic, and smallest noisy users of a facet's cell."""

    min_users: int
    min_conversations: int

    def topic(self, *, users: float, conversations: float) -> str | None:
        """The rule that suppresses a topic with these noisy numbers, or None."""
        if users < self.min_users:
            return "min_users"
        return "min_conversations" if conversations < self.min_conversations else None

    def cell(self, *, users: float) -> bool:
        """Whether a cell with these noisy users may be shown."""
        return users >= self.min_users
