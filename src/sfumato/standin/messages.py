"""The wire format of what comes back: message objects with their usage, and error bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.standin import answers, distort
from sfumato.standin.call import tokens
from sfumato.standin.words import obeyed

if TYPE_CHECKING:
    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.standin.call import Call
    from sfumato.standin.faults import Deed

ERRORS = {
    400: ("invalid_request_error", "the request is not acceptable"),
    401: ("authentication_error", "invalid x-api-key"),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed the rate limit"),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def message(
    call: Call, deed: Deed, *, cached: bool, attempt: int, batch: bool = False, guess: bool = False
) -> tuple[str, JsonObject]:
    """A message object, and under which name it is counted: `answer`, or the way in which it fails.

    cached: the system text was seen before. attempt: how often this prompt was asked before. guess: see `answers`.

    Raises:
        InputError: the schema asked for can't be satisfied; the API would answer 400.
    """
    text, stop = _reply(call, deed, guess=guess)
    counted = "answer" if deed.kind in {"answer", "slow", "inject"} else deed.name
    if tokens(text) > call.max_tokens:
        text, stop, counted = text[: 4 * call.max_tokens], "max_tokens", "truncate"
    return counted, {
        "id": f"msg_{call.digest[:20]}{attempt:04d}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [{"type": "text", "text": text, "citations": None}] if text else [],
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None,
        "container": None,
        "usage": _usage(call, text, cached=cached, batch=batch),
    }


def error(status: int, request_id: str, said: str | None = None) -> JsonObject:
    """An error body, as the API writes it."""
    kind, usual = ERRORS[status]
    return {"type": "error", "error": {"type": kind, "message": said or usual}, "request_id": request_id}


def _reply(call: Call, deed: Deed, *, guess: bool) -> tuple[str, str]:
    """The text and the stop reason."""
    if deed.kind == "refuse":
        return "", "refusal"
    if call.schema is None:
        text = answers.sentence(call.text)
        order = obeyed(call.text) if deed.kind == "inject" else None
        text = order or (distort.MARKUP + text if deed.kind == "markup" else text)
    else:
        text = json.dumps(_value(call, call.schema, deed, guess=guess), ensure_ascii=False)
    if deed.kind == "truncate":
        return distort.cut(text), "max_tokens"
    return (distort.cut(text) if deed.kind == "malformed" else text), "end_turn"


def _value(call: Call, schema: JsonObject, deed: Deed, *, guess: bool) -> Json:
    try:
        value = answers.answer(schema, call.text, system=call.system, guess=guess)
        if deed.kind in {"lie", "markup", "inject"}:
            return distort.distorted(deed.kind, value, schema, order=obeyed(call.text))
    except (TypeError, AttributeError, ValueError, OverflowError):
        raise InputError("output_config.format.schema: not a valid JSON Schema") from None
    else:
        return value


def _usage(call: Call, text: str, *, cached: bool, batch: bool) -> JsonObject:
    """Tokens: of the system text once to write the cache and then to read it, where the caller asks for caching."""
    system = tokens(call.system)
    held = system if call.caches else 0
    schema = tokens(json.dumps(call.schema)) if call.schema else 0
    written = 0 if cached else held
    return {
        "input_tokens": max(1, tokens(call.text) + schema + system - held),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": held - written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": max(1, tokens(text)),
        "service_tier": "batch" if batch else "standard",
    }
