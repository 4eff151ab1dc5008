"""The JSON Schema of policy files, for editors: what stands in a file, where `extends` makes every field optional."""

from __future__ import annotations

import copy
from typing import Any

from sfumato.policy.schema import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXTENDS = {
    "type": "string",
    "minLength": 1,
    "description": "A built-in policy or a file; this one may only tighten it.",
}


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema. With `extends` nothing is required; without, what the loader requires."""
    whole = Policy.model_json_schema()
    sections = whole.pop("$defs")
    alone = whole | {"description": "A policy that stands alone."}
    alone["properties"] = {name: field for name, field in whole["properties"].items() if name != "override"}
    child = copy.deepcopy(whole) | {"description": "A policy that extends another."}
    child["properties"]["extends"] = EXTENDS
    loose = {f"Partial{name}": _optional(copy.deepcopy(section)) for name, section in sections.items()}
    return {
        "$schema": DIALECT,
        "title": "sfumato policy, sfumato/v1",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": _renamed(_optional(child)),
        "else": alone,
        "$defs": {**sections, **{name: _renamed(section) for name, section in loose.items()}},
    }


def _optional(section: dict[str, Any]) -> dict[str, Any]:
    """Members of a list are never merged with their parent's, so they keep what they require."""
    if section.get("title") not in {"FacetSection", "Override"}:
        section.pop("required", None)
    return section


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """References to the sections as they are in a file that extends another."""
    if isinstance(value, dict):
        return {
            key: item.replace("#/$defs/", "#/$defs/Partial") if key == "$ref" else _renamed(item)
            for key, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value
