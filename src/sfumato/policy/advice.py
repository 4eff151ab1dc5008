"""One line for what a schema refuses: which field, where it stands, and what to write instead."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from sfumato.errors import PolicyError
from sfumato.policy.schema_base import DURATION, HASH, NAME
from sfumato.policy.schema_models import MODEL_NAME, REGION
from sfumato.policy.source import shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from sfumato.policy.source import Document, Field

# What the design knows and this version does not do. It is refused by name: to ignore it would be to promise it.
LATER_FIELDS = {
    "models": "a model for extraction or naming",
    "signature": "a signature inside the policy",
}
LATER_VALUES = {
    ("facets.kind", "text"): "a free-text facet",
}
# What pydantic says in its own words, in ours.
PLAINLY = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text; in quotes, if it looks like something else",
    "tuple_type": "must be a list: [one, two]",
    "model_type": "must be a section with fields of its own",
}
SPELLED = {
    DURATION: "must be hours or days, such as 24h or 30d",
    HASH: "must be a SHA-256 in 64 small hex digits",
    NAME: "must be letters, digits, `_`, `.` and `-`, 64 at most",
    MODEL_NAME: "must be the name of a model, such as claude-haiku-4-5",
    REGION: "must be a region in small letters, such as us or eu",
}


def refusal(invalid: ValidationError, document: Document, tree: object, schema: type[BaseModel]) -> PolicyError:
    """The first problem of a validation as one line. `tree` is what was validated; places are `document`'s."""
    problems = invalid.errors(include_url=False, include_input=False)
    first = problems[0]
    field = _field(first["loc"], tree) or _named(first["msg"], schema)
    dotted = ".".join(shown(part) for part in field) or "policy"
    message = first["msg"].removeprefix("Value error, ")
    message = message if first["loc"] else message.removeprefix(f"{dotted}: ")
    advice = _later(field, first["type"], tree) or _misspelt(first, field, tree)
    advice = advice or _advice(first["type"], message, field, schema)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return PolicyError(f"{document.at(field)}: {dotted}: {shown(advice, 300)}{more}")


def _field(loc: Field, tree: object) -> Field:
    """Where in the document a problem is: pydantic's path without the branches of unions that stand in it."""
    field: list[str | int] = []
    for place, part in enumerate(loc):
        is_key = isinstance(tree, dict) and (part in tree or place == len(loc) - 1)
        if is_key or (isinstance(tree, tuple) and isinstance(part, int)):
            field.append(part)
            tree = _value(tree, (part,))
    return tuple(field)


def _later(field: Field, kind: str, tree: object) -> str | None:
    """What to say of a field or value that a later version may know."""
    name = ".".join(part for part in field if isinstance(part, str))
    value = _value(tree, field)
    what = LATER_FIELDS.get(name) if kind == "extra_forbidden" else None
    if kind == "literal_error" and isinstance(value, str):
        what = LATER_VALUES.get((name, value))
    return f"{what} is not in this version" if what else None


def _value(tree: object, field: Field) -> object:
    for part in field:
        if isinstance(tree, dict):
            tree = tree.get(part)
        elif isinstance(tree, tuple) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


def _misspelt(problem: ErrorDetails, field: Field, tree: object) -> str | None:
    """What to write for a word out of a list, or for text of a set form."""
    value, form = _value(tree, field), str(problem.get("ctx", {}).get("pattern", ""))
    if problem["type"] == "literal_error":
        words = re.findall("'([^']*)'", problem["msg"])
        near = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
        listed = f"must be one of {', '.join(words)}" if len(words) > 1 else f"must be {words[0]}"
        listed += " or a list of values" if field[-1] == "domain" else ""
        return listed + (f"; did you mean {near[0]}?" if near else "")
    if problem["type"] == "string_type" and str(field[-1]).endswith("_ttl"):
        form = DURATION
    return SPELLED.get(form)


def _advice(kind: str, message: str, field: Field, schema: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(field[-1]), _known(field[:-1], schema), n=1)
        return "no such field" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "missing":
        return "missing; it has no default and must be stated"
    return PLAINLY.get(kind) or re.sub("^(Input|String|Tuple) should ", "must ", message)


def _named(message: str, schema: type[BaseModel]) -> Field:
    """A check of the whole document begins its message with the field at fault."""
    field = tuple(message.removeprefix("Value error, ").partition(": ")[0].split("."))
    return field if field[-1] in _known(field[:-1], schema) else ()


def _known(field: Field, schema: type[BaseModel]) -> list[str]:
    """Names that the schema knows at this place."""
    model: Any = schema
    for part in field:
        if isinstance(part, int):
            continue
        if part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        models = [item for item in inner if isinstance(item, type) and issubclass(item, BaseModel)]
        if len(models) != 1:
            return []
        model = models[0]
    return [*model.model_fields, *(["extends"] if model is schema else [])]
