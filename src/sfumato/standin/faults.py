"""Which request is answered and which goes wrong, and how: rules as data, drawn by hash, whatever the order."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sfumato.standin import shape

if TYPE_CHECKING:
    from typing import Self

    from sfumato.standin.call import Call

Kind: TypeAlias = Literal[
    "answer", "refuse", "lie", "inject", "drop", "stall", "error", "malformed", "truncate", "markup", "slow", "any"
]
Status: TypeAlias = Literal[401, 429, 500, 529]
Request: TypeAlias = Literal["messages", "entries", "create", "retrieve", "list", "results", "cancel"]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]

TRANSPORT = frozenset({"answer", "drop", "stall", "slow", "error"})
"""What can go wrong with a request that asks for no answer of a model."""
DEFAULT_SECONDS = 2.0
DEFAULT_RETRY_AFTER = 1.0


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class When(_Strict):
    """All that is stated must hold.

    request: `messages`, `entries` (of a batch), or a request about a batch; left out: messages and entries.
    properties: top-level names in the wanted schema. contains: a substring of what is asked, not of the instructions.
    probability: drawn anew each time the same prompt is asked. every: each nth request for which the rest holds.
    """

    request: Request | None = None
    properties: tuple[str, ...] = ()
    contains: str | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    every: Annotated[int, Field(ge=1)] = 1


class Rule(_Strict):
    """What is done when: the first rule that holds decides.

    seconds: of `stall` (held, then dropped) and `slow` (held, then answered). status, retry_after (in seconds): of
    `error`.
    `any` draws one of the faults that concern one call; a 401 concerns all, so it has to be asked for by name.
    """

    when: When = When()
    do: Kind
    status: Status | None = None
    seconds: Seconds | None = None
    retry_after: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.status is not None) != (self.do == "error"):
            raise ValueError("`status` goes with `do: error`, which needs it")
        if self.retry_after is not None and self.do not in {"error", "any"}:
            raise ValueError("`retry_after` goes with `do: error`")
        if self.seconds is not None and self.do not in {"stall", "slow", "any"}:
            raise ValueError("`seconds` goes with `do: stall` and `do: slow`")
        asks = self.when.request in {None, "messages", "entries"}
        if not asks and (self.when.contains is not None or self.when.properties or self.do not in TRANSPORT):
            raise ValueError("a request about a batch has no text and no schema; it can only fail on the way")
        return self


class Rules(_Strict):
    """A script of misbehaviour; the empty one answers everything. guess: see `answers.answer`."""

    seed: int = 0
    guess: bool = False
    rules: tuple[Rule, ...] = ()

    def also(self, *more: Rule) -> Rules:
        """These rules, then the others."""
        return self.model_copy(update={"rules": (*self.rules, *more)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is done with one request. `name` is how it is counted."""

    kind: Kind
    status: int = 0
    seconds: float = 0.0
    retry_after: float | None = None

    @property
    def name(self) -> str:
        return f"error_{self.status}" if self.kind == "error" else self.kind


ANSWER = Deed(kind="answer")


def failing(share: float) -> Rule:
    """A rule by which this share of all calls fails, in every way that concerns one call."""
    return Rule(when=When(probability=share), do="any", seconds=0.5, retry_after=0.05)


def gullible() -> Rule:
    """A rule by which an instruction that stands in the text is obeyed."""
    return Rule(when=When(contains="SFUMATO-OBEY:"), do="inject")


@dataclass(slots=True, kw_only=True)
class Chooser:
    """Applies rules. Only `every` looks at the order of requests."""

    rules: Rules
    _held: Counter[int] = field(default_factory=Counter)

    def of_call(self, call: Call, request: Request, attempt: int) -> Deed:
        """What to do with a question asked for the `attempt`th time, counted from 0."""
        names = shape.properties(call.schema or {}).keys()
        for index, rule in enumerate(self.rules.rules):
            when = rule.when
            fits = (
                when.request in {None, request}
                and names >= set(when.properties)
                and (when.contains is None or when.contains in call.text)
            )
            if fits and self._fires(index, when, f"{call.digest}|{attempt}"):
                return self._deed(rule, f"{index}|{call.digest}|{attempt}")
        return ANSWER

    def of_request(self, request: Request, number: int) -> Deed:
        """What to do with the `number`th request of its kind about batches, counted from 0."""
        for index, rule in enumerate(self.rules.rules):
            if rule.when.request == request and self._fires(index, rule.when, f"{request}|{number}"):
                return self._deed(rule, f"{index}|{request}|{number}")
        return ANSWER

    def _fires(self, index: int, when: When, about: str) -> bool:
        self._held[index] += 1
        return self._held[index] % when.every == 0 and self._draw(f"{index}|{about}") < when.probability

    def _deed(self, rule: Rule, about: str) -> Deed:
        kind, status = rule.do, rule.status
        if kind == "any":
            kind, status = _FAULTS[int(self._draw(f"which|{about}") * len(_FAULTS))]
        wait = rule.seconds if rule.seconds is not None else DEFAULT_SECONDS
        retry_after = rule.retry_after
        if status == 429 and retry_after is None:  # noqa: PLR2004 - the one status that always says when
            retry_after = DEFAULT_RETRY_AFTER
        return Deed(
            kind=kind,
            status=status or 0,
            seconds=wait if kind in {"stall", "slow"} else 0.0,
            retry_after=retry_after if kind == "error" else None,
        )

    def _draw(self, about: str) -> float:
        """Uniform in [0, 1)."""
        drawn = hashlib.sha256(f"{self.rules.seed}|{about}".encode()).digest()
        return int.from_bytes(drawn[:8]) / 2**64


_FAULTS: tuple[tuple[Kind, Status | None], ...] = (
    ("refuse", None),
    ("lie", None),
    ("markup", None),
    ("malformed", None),
    ("truncate", None),
    ("drop", None),
    ("stall", None),
    ("error", 429),
    ("error", 500),
    ("error", 529),
)
