"""Which noisy numbers are large enough to be shown, decided on noisy values alone: that costs and leaks nothing."""

from __future__ import annotations

from dataclasses import dataclass

NOISE_FLOOR = 3.0


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

    def cell(self, *, users: float, sigma: float) -> bool:
        """Whether a cell with these noisy users may be shown.

        Of the many cells that nobody is in, some look large: under three standard deviations a number says nothing.
        """
        return users >= max(self.min_users, NOISE_FLOOR * sigma)
