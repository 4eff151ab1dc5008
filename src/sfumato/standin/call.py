"""One request for an answer, off the wire: what is asked, in which shape, or why the API would not take it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from sfumato.model.strict_json import Json, JsonObject

CHARACTERS_PER_TOKEN = 4
_FENCED = re.compile(r"```json\s*\n(.*?)```", re.DOTALL)
_BRACE = re.compile(r"^\{", re.MULTILINE)
MOST_TRIED = 8
_UNSUPPORTED = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems"}
    | {"pattern", "uniqueItems", "oneOf"}
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call(Private):
    """One question.

    system, text: all instructions, all that is asked. schema: of the reply; None where free text is wanted.
    caches: the caller asks for the system text to be cached. lax_schema: `output_config` uses keywords that the real
    API does not take. digest: SHA-256 of system, text and schema, in hexadecimal.
    """

    model: str
    system: str
    text: str
    schema: JsonObject | None
    max_tokens: int
    caches: bool
    lax_schema: bool
    digest: str


def read(body: Json) -> Call:
    """The call in a request body.

    Raises:
        InputError: the API would answer `invalid_request_error`; or it asks for tools or a stream, unknown here.
    """
    fields = _object(body, "the body")
    if fields.get("stream") or fields.get("tools"):
        raise InputError("stream, tools: the stand-in answers whole messages without tools")
    model, max_tokens = fields.get("model"), fields.get("max_tokens")
    if not isinstance(model, str) or not model:
        raise InputError("model: Field required")
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise InputError("max_tokens: must be a whole number of at least 1")
    system = _encodable(_text(fields.get("system") or "", "system"))
    text = _encodable(_conversation(fields.get("messages")))
    declared = _declared(fields.get("output_config"))
    schema = declared if declared is not None else _fenced(system)
    return Call(
        model=model,
        system=system,
        text=text,
        schema=schema,
        max_tokens=max_tokens,
        caches=_asks_for_cache(fields),
        lax_schema=declared is not None and _lax(declared),
        digest=digest(system, text, schema),
    )


def digest(system: str, text: str, schema: Json) -> str:
    """SHA-256 (hexadecimal) of canonical JSON of the three: the name under which a prompt is counted."""
    canonical = json.dumps([system, text, schema], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def tokens(text: str) -> int:
    """A rough count, rounded up: one token for four characters."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _object(value: Json, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise InputError(f"{what}: must be an object")
    return value


def _text(content: Json, what: str) -> str:
    """The text of a string or of a list of text blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InputError(f"{what}: must be a string or a list of text blocks")
    texts = []
    for block in content:
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        if not isinstance(text, str):
            raise InputError(f"{what}: the stand-in reads text blocks only")
        texts.append(text)
    return "\n".join(texts)


def _conversation(messages: Json) -> str:
    if not isinstance(messages, list) or not messages:
        raise InputError("messages: at least one message is required")
    texts = []
    for index, message in enumerate(messages):
        fields = _object(message, f"messages.{index}")
        if fields.get("role") not in {"user", "assistant"}:
            raise InputError(f"messages.{index}.role: must be user or assistant")
        texts.append(_text(fields.get("content"), f"messages.{index}.content"))
    if not any(text.strip() for text in texts):
        raise InputError("messages: text content blocks must be non-empty")
    return "\n".join(texts)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("the text holds a lone surrogate: no valid Unicode") from None
    return text


def _declared(output_config: Json) -> JsonObject | None:
    if output_config is None:
        return None
    wanted = _object(output_config, "output_config").get("format")
    if wanted is None:
        return None
    fields = _object(wanted, "output_config.format")
    if fields.get("type") != "json_schema":
        raise InputError("output_config.format.type: must be json_schema")
    return _object(fields.get("schema"), "output_config.format.schema")


def _fenced(system: str) -> JsonObject | None:
    """The last JSON Schema that stands in the instructions, between fences or on lines of its own."""
    unfenced = [system[found.start() :] for found in _BRACE.finditer(system)][-MOST_TRIED:]
    for block in [*unfenced, *_FENCED.findall(system)[-MOST_TRIED:]][::-1]:
        try:
            value, _ = json.JSONDecoder().raw_decode(block.strip())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.keys() & {"type", "properties", "anyOf", "$ref"}:
            return value
    return None


def _asks_for_cache(fields: JsonObject) -> bool:
    system = fields.get("system")
    blocks = system if isinstance(system, list) else []
    return bool(fields.get("cache_control")) or any(isinstance(b, dict) and b.get("cache_control") for b in blocks)


def _lax(schema: Json, *, names: bool = False) -> bool:
    """Whether a schema has keywords that the SDK's own `transform_schema` would move into the description."""
    if isinstance(schema, list):
        return any(_lax(item) for item in schema)
    if not isinstance(schema, dict):
        return False
    if not names and (schema.keys() & _UNSUPPORTED or _open_object(schema) or _many(schema.get("minItems"))):
        return True
    inside = {key: value for key, value in schema.items() if names or key not in {"enum", "const", "default"}}
    return any(_lax(value, names=not names and key in {"properties", "$defs"}) for key, value in inside.items())


def _open_object(schema: JsonObject) -> bool:
    return schema.get("type") == "object" and schema.get("additionalProperties") is not False


def _many(least: Json) -> bool:
    return isinstance(least, int) and least > 1
