"""Spoils a right answer in the ways models spoil theirs: lies, markup, obedience to a stranger, half a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from sfumato.standin import shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.model.strict_json import Json, JsonObject

Distortion: TypeAlias = Literal["lie", "inject", "markup"]
MARKUP = '<script>alert(1)</script><b onclick="x()">\x1b[31m\x07\u202e\u200b'


def distorted(how: Distortion, value: Json, schema: JsonObject, *, order: str | None) -> Json:
    """The answer, spoiled. order: the words an instruction in the text asks for; without any `inject` does nothing."""
    if how == "lie":
        return _walk(value, schema, schema, _lie)
    if how == "markup":
        return _walk(value, schema, schema, _marked)
    return _walk(value, schema, schema, lambda leaf, wanted: _obey(leaf, wanted, order)) if order else value


def cut(text: str) -> str:
    """The first half of a reply: what is left when it ends too early."""
    return text[: len(text) // 2]


def _walk(value: Json, schema: Json, root: JsonObject, change: Callable[[Json, Mapping[str, Json]], Json]) -> Json:
    """The value with every leaf changed; a list that `change` replaces is not entered."""
    wanted = shape.resolved(schema, root)
    if isinstance(value, dict):
        fields = shape.properties(wanted)
        return {key: _walk(inner, fields.get(key, {}), root, change) for key, inner in value.items()}
    if isinstance(value, list):
        changed = change(value, wanted)
        if not isinstance(changed, list):
            return changed
        return [_walk(item, wanted.get("items", {}), root, change) for item in changed]
    return change(value, wanted)


def _lie(leaf: Json, wanted: Mapping[str, Json]) -> Json:
    """A value of the right type outside its domain, or, where the domain is open, of a wrong type."""
    if shape.choices(wanted):
        return "outside the domain" if isinstance(leaf, str) else -1_000_000
    if isinstance(leaf, bool):
        return "perhaps"
    if isinstance(leaf, int | float):
        return -1_000_000
    return 7 if isinstance(leaf, str) else "no list"


def _marked(leaf: Json, wanted: Mapping[str, Json]) -> Json:
    if not isinstance(leaf, str) or shape.choices(wanted):
        return leaf
    return (MARKUP + leaf)[: shape.limit(wanted, "maxLength", len(MARKUP) + len(leaf))]


def _obey(leaf: Json, wanted: Mapping[str, Json], order: str) -> Json:
    """Strings become the ordered words; of a closed domain the value that the words name, if they name one."""
    if isinstance(leaf, list):
        return leaf[:1] if leaf and all(isinstance(item, str) for item in leaf) else leaf
    if not isinstance(leaf, str):
        return leaf
    domain = shape.choices(wanted)
    if domain:
        return next((one for one in domain if isinstance(one, str) and one.lower() in order.lower()), leaf)
    return order[: shape.limit(wanted, "maxLength", len(order))]
