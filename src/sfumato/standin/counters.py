"""What the stand-in has been asked and how it went, in numbers: never a word of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfumato.model.strict_json import Json, JsonObject

TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@dataclass(slots=True, kw_only=True)
class Counters:
    """Folded from events, so that a journal of them gives the same numbers after a restart.

    asked, answered: by digest of the prompt, how often an asking of it came to an end, and how often it was answered
    OK. begun: how often it was asked, the open askings included.
    """

    in_flight: int = 0
    max_in_flight: int = 0
    begun: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    batch_tokens: Counter[str] = field(default_factory=Counter)
    lax_schemas: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def arrived(self) -> None:
        """A request is being dealt with."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def left(self) -> None:
        """It is dealt with."""
        self.in_flight -= 1

    def attempt(self, prompt: str) -> int:
        """How often this prompt was asked before; and now it is asked once more."""
        before = max(self.begun[prompt], self.asked[prompt])
        self.begun[prompt] = before + 1
        return before

    def ended(self, event: JsonObject) -> None:
        """How one call ended: {kind, digest?, usage?, batch?, lax?}."""
        kind, prompt = str(event["kind"]), event.get("digest")
        if isinstance(prompt, str):
            self.asked[prompt] += 1
            if kind == "answer":
                self.answered[prompt] += 1
        if kind != "answer":
            self.failures[kind] += 1
        self.lax_schemas += bool(event.get("lax"))
        usage = event.get("usage")
        if isinstance(usage, dict):
            spent = {name: amount for name in TOKENS if isinstance(amount := usage.get(name), int)}
            (self.batch_tokens if event.get("batch") else self.tokens).update(spent)

    def shown(self) -> JsonObject:
        """The numbers as JSON."""
        again = sum(count > 1 for count in self.answered.values())
        by_prompt: dict[str, Json] = dict(self.answered)
        return {
            "calls": self.asked.total() + self.failures["rejected"],
            "answered": self.answered.total(),
            "answered_by_prompt": by_prompt,
            "prompts": len(self.asked),
            "prompts_answered_twice": again,
            "failures": dict(self.failures),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "tokens": dict(self.tokens),
            "batch_tokens": dict(self.batch_tokens),
            "requests": dict(self.requests),
            "schemas_the_api_refuses": self.lax_schemas,
        }
