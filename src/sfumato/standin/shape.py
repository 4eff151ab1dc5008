"""What a JSON Schema asks of one value, with references followed and limits found wherever they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sfumato.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.model.strict_json import Json, JsonObject

DEEPEST = 16
_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
_SAID = re.compile(rf"\b({'|'.join(_LIMITS)}): (-?\d+(?:\.\d+)?)\b")


def resolved(schema: Json, root: Mapping[str, Json], *, depth: int = 0) -> JsonObject:
    """One level without `$ref`, `allOf`, `anyOf`, `oneOf`; limits that stand in the description are made limits again.

    Of alternatives the first that is not null is taken. The SDK writes limits which the API does not know into the
    description, as `{minimum: 1, maximum: 5}`.

    Raises:
        InputError: not a schema, a reference that leads nowhere, or nested too deeply.
    """
    if schema is True:
        return {}
    if not isinstance(schema, dict) or depth > DEEPEST:
        raise InputError("output_config.format.schema: not a schema, or recursive beyond what is supported")
    flat: JsonObject = {k: v for k, v in schema.items() if k not in {"$ref", "allOf", "anyOf", "oneOf"}}
    parts = [_target(schema["$ref"], root)] if "$ref" in schema else []
    every = schema.get("allOf")
    parts += every if isinstance(every, list) else []
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            parts.append(next((c for c in choices if c != {"type": "null"}), choices[0]))
    for part in parts:
        flat = {**resolved(part, root, depth=depth + 1), **flat}
    return _with_said_limits(flat)


def kind(schema: Mapping[str, Json]) -> str:
    """The JSON type of the value; of several the first that is not null."""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((one for one in named if one != "null"), "null")
    if isinstance(named, str):
        return named
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def choices(schema: Mapping[str, Json]) -> list[Json]:
    """The values of `enum` or `const`; none where the domain is open."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) else []


def nullable(schema: Json) -> bool:
    """Whether null is one of the alternatives."""
    listed = schema.get("anyOf") if isinstance(schema, dict) else None
    return isinstance(listed, list) and {"type": "null"} in listed


def limit(schema: Mapping[str, Json], name: str, default: int) -> int:
    """A whole-number limit such as `maxItems`."""
    value = schema.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def properties(schema: Mapping[str, Json]) -> JsonObject:
    """The properties of an object's schema."""
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _target(reference: Json, root: Mapping[str, Json]) -> Json:
    node: Json = dict(root)
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise InputError("output_config.format.schema: only references inside the schema are supported")
    for step in reference.lstrip("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if name and isinstance(node, dict):
            if name not in node:
                raise InputError("output_config.format.schema: a reference leads nowhere")
            node = node[name]
    return node


def _with_said_limits(schema: JsonObject) -> JsonObject:
    description = schema.get("description")
    if not isinstance(description, str) or not description.endswith("}"):
        return schema
    said = {key: float(value) for key, value in _SAID.findall(description[description.rindex("{") :])}
    return {**{key: int(value) if value.is_integer() else value for key, value in said.items()}, **schema}
