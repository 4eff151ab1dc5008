"""What reading conversations with a model would cost, estimated before a single call, beside what Clio's authors state.

Tokens are estimated: of prose as UTF-8 bytes by 4, of schemas and replies, which are JSON, by 3; the provider's own
tokenizer decides in the end. No prompt cache is assumed: the instructions are shorter than what providers cache.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from sfumato.extract.form import LABELS, SUMMARY
from sfumato.extract.questions import prompts_for
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.report import IngestReport
from sfumato.model.conversation import Conversation, Message
from sfumato.model.prompt import Usage
from sfumato.planning import field_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfumato.extract.questions import Questions
    from sfumato.model.prompt import Prompt
    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.policy.schema import Policy

    PriceOf: TypeAlias = Callable[[Usage], Decimal]

PER = 100_000
PROSE_BYTES, JSON_BYTES = 4, 3  # a token
CLIO: JsonObject = {"usd": 48.81, "facets_usd": 45.0, "input_tokens": 130_000_000, "output_tokens": 10_000_000}
"""Table 3 of arXiv:2412.13678, for one facet: 1,000-token conversations, a 300-token prompt, 100-token answers."""
CLIO_TOKENS = 140_000_000
CLIO_INPUT, CLIO_OUTPUT = 0.25, 1.25  # US dollars per million tokens: Claude 3 Haiku, from the same table
SAMPLED = 1_000
STEPS = ("screen", "facets", "paths")
_SUMMARY, _LABEL, _LABELS = "s" * 240, "l" * 18, 3  # of a usual reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step per 100,000 conversations; calls, tokens and dollars are expected values. usd: None if not known."""

    calls: float = 0
    input_tokens: float = 0
    output_tokens: float = 0
    usd: Decimal | None = None


def cost(
    questions: Questions | None,
    *,
    price: PriceOf | None,
    sample: Sequence[Conversation] = (),
    batch: bool = False,
    let_through: float = 1.0,
) -> JsonObject:
    """Estimated tokens and US dollars of extraction per 100,000 conversations, with Clio's own figures beside them.

    questions: from `planning.questions_of`; None where no model reads, and all is free. price: dollars of the usage of
    one call; None where the model's price is not known. sample: conversations to take the average of; without any, one
    of 1,000 tokens, as Clio assumes. batch: at the price of answers within a day. let_through: share of conversations
    that the screener answers `yes` for. Paths are charged where they are widest: an upper bound. Names and audits are
    not counted: they are paid by the topic, not by the conversation.
    """
    held = [_steps(one, questions, price, batch=batch) for one in sample or [_of_1000_tokens()]]
    weights = (1.0, let_through, let_through)
    steps = {
        name: _mean([of_one[place] for of_one in held], weights[place])
        for place, name in enumerate(STEPS)
        if any(of_one[place].calls for of_one in held)
    }
    read = sum(step.input_tokens for step in steps.values())
    written = sum(step.output_tokens for step in steps.values())
    known = questions is None or price is not None
    return {
        "conversations": PER,
        "assumed": "the mean of a sample" if sample else "conversations of 1,000 tokens",
        "steps": {name: _told(step) for name, step in steps.items()},
        "input_tokens": round(read),
        "output_tokens": round(written),
        "usd": _dollars(sum((step.usd or Decimal(0) for step in steps.values()), Decimal(0))) if known else None,
        "usd_at_clios_prices": round((read * CLIO_INPUT + written * CLIO_OUTPUT) / 1e6, 2),
        "tokens_to_clios": round((read + written) / CLIO_TOKENS, 3),
        "clio": dict(CLIO),
        "not_counted": ["names", "audits"],
    }


def read_sample(policy: Policy, source: str) -> list[Conversation]:
    """The first conversations of a log, read as this policy says.

    Raises:
        InputError: it can't be read, or holds none.
    """
    hidden = Pseudonyms(bytes(32), dataset="estimate")  # nothing is kept, so nothing has to be hidden
    limits = Limits(line_bytes=policy.input.line_bytes)
    found = read(
        source, mapping=field_mapping(policy), unit="conversation", limits=limits, pseudonyms=hidden,
        report=IngestReport(),
    )  # fmt: skip
    return list(islice(found, SAMPLED))


def usage_of(prompt: Prompt, *, batch: bool = False) -> Usage:
    """Estimated tokens of one prompt and of a usual reply to it."""
    schema = dict(prompt.schema)
    asked = _tokens(prompt.system, PROSE_BYTES) + _tokens(prompt.text, PROSE_BYTES) + _tokens(_json(schema), JSON_BYTES)
    return Usage(input=asked, output=_tokens(_json(_usual(schema, "")), JSON_BYTES), batch=batch)


def _steps(
    conversation: Conversation, questions: Questions | None, price: PriceOf | None, *, batch: bool
) -> tuple[Step, ...]:
    """What one conversation costs in each of the steps."""
    prompts = prompts_for(conversation, questions) if questions is not None else ()
    first = 1 if questions is not None and questions.screen is not None else 0
    parts = prompts[:first], prompts[first : first + 1], prompts[first + 1 :]
    return tuple(_step([usage_of(prompt, batch=batch) for prompt in part], price) for part in parts)


def _step(usages: Sequence[Usage], price: PriceOf | None) -> Step:
    return Step(
        calls=len(usages),
        input_tokens=sum(usage.input for usage in usages),
        output_tokens=sum(usage.output for usage in usages),
        usd=None if price is None else sum(map(price, usages), Decimal(0)),
    )


def _mean(steps: Sequence[Step], share: float) -> Step:
    """Of each conversation's, the mean, times 100,000 and the share of conversations that come so far."""
    factor = PER * share / len(steps)
    priced = [step.usd for step in steps if step.usd is not None]
    return Step(
        calls=factor * sum(step.calls for step in steps),
        input_tokens=factor * sum(step.input_tokens for step in steps),
        output_tokens=factor * sum(step.output_tokens for step in steps),
        usd=Decimal(factor) * sum(priced, Decimal(0)) if len(priced) == len(steps) else None,
    )


def _told(step: Step) -> JsonObject:
    return {
        "calls": round(step.calls),
        "input_tokens": round(step.input_tokens),
        "output_tokens": round(step.output_tokens),
        "usd": None if step.usd is None else _dollars(step.usd),
    }


def _dollars(amount: Decimal) -> float:
    return float(round(amount, 2))


def _usual(schema: Json, name: str) -> Json:
    """A reply of usual length: a summary of two sentences, three labels, values of the domain's mean length."""
    fields = schema if isinstance(schema, dict) else {}
    properties, values, items = fields.get("properties"), fields.get("enum"), fields.get("items")
    if isinstance(properties, dict):
        return {key: _usual(inner, key) for key, inner in properties.items()}
    if isinstance(values, list) and values:
        return "v" * (sum(len(str(value)) for value in values) // len(values))
    if name == LABELS:
        return [_LABEL] * _LABELS
    if isinstance(items, dict):
        return [_usual(items, "")]
    return _SUMMARY if name == SUMMARY else 100


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tokens(text: str, width: int) -> int:
    return -(-len(text.encode("utf-8", "replace")) // width)


def _of_1000_tokens() -> Conversation:
    """Two requests and two answers, 4,000 characters in all."""
    said = {"user": "Please tell me more about it. " * 20, "assistant": "It is one thing and then another. " * 42}
    turns = [(role, text[: 600 if role == "user" else 1400]) for role, text in said.items()] * 2
    return Conversation(
        conversation_id=bytes(16),
        unit_id=bytes(16),
        messages=tuple(Message(role=role, content=text) for role, text in turns),
        attributes={},
    )
