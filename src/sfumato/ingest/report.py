"""What became of each line of an input: counts and line numbers by reason, for the operator and nobody else."""

from __future__ import annotations

from typing import Literal

from sfumato.model.private import Private

Rejection = Literal[
    "not_utf8", "not_json", "not_object", "too_long", "no_user", "no_text", "bad_messages", "wrong_epoch", "forgotten"
]
Warning_ = Literal["bad_timestamp", "unknown_role", "odd_attribute"]
ADVICE: dict[Rejection, str] = {
    "not_utf8": "save it as UTF-8",
    "too_long": "`input.line_bytes` of the policy says how long a line may be",
    "no_user": "`input.user_id` of the policy names the key that says whose it is",
    "no_text": "`input.messages` or `input.text` of the policy name the key of what was said",
    "wrong_epoch": "--epoch must be the one that the timestamps lie in",
}
NAMED_LINES = 20
SHOWN_LINES = 5


class IngestReport(Private):
    """Counts over one or more inputs; it goes to standard error and never into a release.

    lines: those that were not blank. bytes: their length, unpacked. places: the first 20 line numbers for each reason.
    """

    __slots__ = ("accepted", "bytes", "lines", "places", "rejections", "warnings")

    def __init__(self) -> None:
        self.accepted = 0
        self.lines = 0
        self.bytes = 0
        self.rejections: dict[Rejection, int] = {}
        self.warnings: dict[Warning_, int] = {}
        self.places: dict[str, list[int]] = {}

    @property
    def rejected(self) -> int:
        """How many lines were turned away."""
        return sum(self.rejections.values())

    def reject(self, reason: Rejection, line: int) -> None:
        """The line was turned away."""
        self.rejections[reason] = self.rejections.get(reason, 0) + 1
        self._name(reason, line)

    def warn(self, reason: Warning_, line: int) -> None:
        """The line was taken, less one detail."""
        self.warnings[reason] = self.warnings.get(reason, 0) + 1
        self._name(reason, line)

    def reasons(self) -> str:
        """Such as `not_json 1 (line 17), no_user 2 (lines 40, 41)`; empty when nothing was turned away."""
        return self._listed(self.rejections)

    def advice(self) -> str | None:
        """What would help most of the lines that were turned away; None where nothing but better lines would."""
        worst = max(self.rejections, key=lambda reason: self.rejections[reason], default=None)
        return ADVICE.get(worst) if worst else None

    def summary(self) -> str:
        """One line such as `9,150 read, 9,149 accepted, 1 rejected: not_json 1 (line 17)`."""
        text = f"{self.lines:,} read, {self.accepted:,} accepted, {self.rejected:,} rejected"
        if self.rejections:
            text += f": {self.reasons()}"
        return f"{text}; taken with a warning: {self._listed(self.warnings)}" if self.warnings else text

    def as_dict(self) -> dict[str, object]:
        """The same for a program: counts by reason and the first line numbers."""
        return {
            "lines": self.lines,
            "bytes": self.bytes,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rejections": dict(self.rejections),
            "warnings": dict(self.warnings),
            "first_lines": {reason: list(lines) for reason, lines in self.places.items()},
        }

    def _name(self, reason: str, line: int) -> None:
        named = self.places.setdefault(reason, [])
        if len(named) < NAMED_LINES:
            named.append(line)

    def _listed(self, counts: dict[Rejection, int] | dict[Warning_, int]) -> str:
        return ", ".join(f"{reason} {count:,} ({self._lines(reason, count)})" for reason, count in counts.items())

    def _lines(self, reason: str, count: int) -> str:
        shown = ", ".join(map(str, self.places[reason][:SHOWN_LINES]))
        return f"line{'s' if count > 1 else ''} {shown}{', ...' if count > SHOWN_LINES else ''}"
