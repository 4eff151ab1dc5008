"""The Messages format: a prompt as the bytes that are sent, and what of an answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.private import Private
from sfumato.model.prompt import Usage
from sfumato.model.strict_json import object_at

if TYPE_CHECKING:
    from sfumato.adapters.endpoint import Endpoint
    from sfumato.model.prompt import Prompt
    from sfumato.model.strict_json import Json, JsonObject

_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
LONGEST_REPLY = 1 << 20  # characters: far beyond any max_tokens of ours, short of what a bad server could choke us with
THINKING_ROOM = 4096  # tokens; where thinking can't be turned off, it comes out of max_tokens
PROVIDERS_OWN = 1024  # tokens; what a provider may add to a prompt of its own: the wording of the schema
_ASK_JSON = "Answer with one JSON object and nothing else, valid under this JSON Schema:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Which fields an endpoint understands; learnt from its refusals and kept while it lives.

    structured: `output_config.format` carries the schema. told: the schema also stands in the system text. thinking:
    the ways to turn thinking off that are still to be tried, best first; with none left the reply gets room for it.
    cached: the system text is marked for the prompt cache.
    """

    structured: bool = True
    told: bool = False
    thinking: tuple[str, ...] = ("disabled", "between_tools")
    effort: bool = True
    cached: bool = True

    def without(self, names: frozenset[str]) -> Dialect:
        """The same without the fields that a refusal named; unchanged if it named none of them."""
        found = self
        if "format" in names and found.structured:
            found = replace(found, structured=False, told=True, effort=False)
        if "effort" in names:
            found = replace(found, effort=False)
        if "thinking" in names:
            found = replace(found, thinking=found.thinking[1:])
        if "cache" in names:
            found = replace(found, cached=False)
        return found


def first_dialect(model: str) -> Dialect:
    """Where to begin: some Claude models can't have their thinking turned off, or call that by another name."""
    if model.startswith(("claude-opus-5-5", "claude-fable-", "claude-mythos-")):
        return Dialect(thinking=())
    if model.startswith("claude-sonnet-5-5"):
        return Dialect(thinking=("between_tools",))
    return Dialect()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Question(Private):
    """One request, ready to be sent: its body as JSON, and bounds on what it may use."""

    body: bytes
    prompt_tokens: int
    max_tokens: int


def question(prompt: Prompt, endpoint: Endpoint, *, dialect: Dialect, factor: int = 1) -> Question:
    """The request for a prompt; `factor` multiplies the room for the reply.

    prompt_tokens bounds what the provider can count: no tokenizer makes more tokens of a text than it has bytes.
    """
    max_tokens = prompt.max_tokens * factor + (0 if dialect.thinking else THINKING_ROOM)
    fields: JsonObject = {
        "model": endpoint.model,
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": prompt.text}],
    }
    if endpoint.region is not None:
        fields["inference_geo"] = endpoint.region
    system = prompt.system
    if dialect.told:
        system = f"{system}\n\n{_ASK_JSON}{json.dumps(dict(prompt.schema), ensure_ascii=False)}".strip()
    if system:
        block: JsonObject = {"type": "text", "text": system}
        fields["system"] = [block | {"cache_control": {"type": "ephemeral"}} if dialect.cached else block]
    config: JsonObject = {}
    if dialect.structured:
        config["format"] = {"type": "json_schema", "schema": dict(prompt.schema)}
    if dialect.thinking:
        fields["thinking"] = {"type": dialect.thinking[0]}
    elif dialect.effort:
        config["effort"] = "low"
    if config:
        fields["output_config"] = config
    # A lone surrogate is no text that any provider could read; it must not fail in a message that shows the rest.
    body = _PLAIN.encode(fields).encode("utf-8", "replace")
    return Question(body=body, prompt_tokens=len(body) + PROVIDERS_OWN, max_tokens=max_tokens)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer(Private):
    """A message as it came: its text blocks in one, why it ended, what it used, and where it ran (None: not said)."""

    text: str
    stop: str
    usage: Usage
    region: str | None = None


def answer(raw: bytes, *, batch: bool = False) -> Answer | None:
    """The message in a response body; None where there is none (a proxy's page, cut off, another format)."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return message(value, batch=batch)


def message(value: Json, *, batch: bool = False) -> Answer | None:
    """The same from the parsed object. Thinking and other blocks without text are left out."""
    if not isinstance(value, dict) or not isinstance(blocks := value.get("content"), list):
        return None
    stop = value.get("stop_reason")
    return Answer(
        text="".join(_text(block) for block in blocks),
        stop=stop if isinstance(stop, str) else "end_turn",
        usage=_usage(value.get("usage"), batch=batch),
        region=_region(value.get("usage")),
    )


def _text(block: Json) -> str:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
    return text if isinstance(text, str) else ""


def _region(usage: Json) -> str | None:
    found = usage.get("inference_geo") if isinstance(usage, dict) else None
    return found if isinstance(found, str) and found != "not_available" else None


def _usage(value: Json, *, batch: bool) -> Usage:
    counts = value if isinstance(value, dict) else {}

    def tokens(name: str) -> int:
        found = counts.get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0

    return Usage(
        input=tokens("input_tokens"),
        output=tokens("output_tokens"),
        cache_read=tokens("cache_read_input_tokens"),
        cache_write=tokens("cache_creation_input_tokens"),
        batch=batch,
    )


def only_object(text: str) -> JsonObject | None:
    """The one JSON object in a reply, alone or among words or in a fence; None where there is none, or more than one.

    Keys named twice, NaN, lone surrogates and nesting too deep to read make it none.
    """
    if len(text) > LONGEST_REPLY:
        return None
    text = text.rpartition("</think>")[2].strip()  # where a local model's thinking stands in the text itself
    start = text.find("{")
    if start < 0:
        return None
    try:
        found, end = object_at(text, start)
    except InputError:
        return None
    return None if "{" in text[end:] else found
