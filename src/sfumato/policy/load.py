"""A YAML file to a `Policy`, or one line that says which field, where, and what to write instead."""

from __future__ import annotations

import difflib
import hashlib
import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from sfumato.errors import PolicyError
from sfumato.policy.inherit import merge_tightening
from sfumato.policy.schema import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_FILE = 262_144
DEEPEST_EXTENDS = 8

Tree = dict[str, Any]  # what YAML gives before the schema has seen it
Path_ = tuple[str | int, ...]
Places = dict[Path_, tuple[int, int]]


def load(path: str | Path) -> Policy:
    """The policy in a file, its `extends` resolved.

    Raises:
        PolicyError: it can't be read, is not YAML, repeats a key, breaks the schema, or loosens what it extends.
    """
    tree, places, source = _resolved(Path(path), depth=0)
    return _validated(tree, places, source)


def parse(text: str, *, source: str = "policy") -> Policy:
    """The policy in a string; `extends` may name built-in policies only."""
    tree, places = _tree(text, source)
    return _validated(_inherit(tree, places, source, Path(), depth=0), places, source)


def builtin_names() -> list[str]:
    """Policies that ship with sfumato and can be named in `extends` without a path."""
    return sorted(
        path.name.removesuffix(".yaml") for path in _builtin_folder().iterdir() if path.name.endswith(".yaml")
    )


def builtin_path(name: str) -> Path:
    """Where a built-in policy lies."""
    return Path(str(_builtin_folder() / f"{name}.yaml"))


def digest(policy: Policy) -> str:
    """SHA-256, in hex, of the resolved policy's RFC 8785 canonical form."""
    return hashlib.sha256(rfc8785.dumps(policy.model_dump(mode="json"))).hexdigest()


def _builtin_folder() -> Any:  # noqa: ANN401 - importlib's Traversable
    packaged = files("sfumato.policy") / "builtin"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "policies"


def _resolved(path: Path, depth: int) -> tuple[Tree, Places, str]:
    source = str(path)
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise PolicyError(
            f"{source}: can't read the policy ({problem.strerror or 'not a file'}); give its path"
        ) from None
    if len(raw) > LARGEST_FILE:
        raise PolicyError(f"{source}: larger than {LARGEST_FILE // 1024} KiB; that is no policy")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyError(f"{source}: not UTF-8 text; save it as UTF-8") from None
    tree, places = _tree(text, source)
    return _inherit(tree, places, source, path.parent, depth), places, source


def _inherit(tree: Tree, places: Places, source: str, folder: Path, depth: int) -> Tree:
    if "extends" not in tree:
        return tree
    parent = tree["extends"]
    if not isinstance(parent, str) or depth >= DEEPEST_EXTENDS:
        raise PolicyError(
            f"{_at(source, places, ('extends',))}: extends must name one built-in policy or file, without a circle"
        )
    above = builtin_path(parent) if parent in builtin_names() else folder / parent
    below, parent_places, parent_source = _resolved(above, depth + 1)
    _validated(below, parent_places, parent_source)
    child = {key: value for key, value in tree.items() if key != "extends"}
    return merge_tightening(below, child, where=lambda field: _at(source, places, field))


def _tree(text: str, source: str) -> tuple[Tree, Places]:
    """Plain data and the place of every key. Aliases are refused: a policy is to be read by people."""
    try:
        reader = YAML(typ="safe", pure=True)
        if "*" in text and any(type(event).__name__ == "AliasEvent" for event in reader.parse(io.StringIO(text))):
            raise PolicyError(f"{source}: YAML aliases (*name) are not allowed; write the value out")
        node = YAML(typ="safe", pure=True).compose(io.StringIO(text))
        tree = YAML(typ="safe", pure=True).load(io.StringIO(text))
    except DuplicateKeyError as twice:
        line, column = twice.problem_mark.line + 1, twice.problem_mark.column + 1
        raise PolicyError(f"{source}:{line}:{column}: this key stands twice; keep one") from None
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise PolicyError(f"{source}{where}: not valid YAML ({broken.problem or 'syntax error'})") from None
    except (YAMLError, ValueError, RecursionError, OverflowError, TypeError, AttributeError, LookupError):
        raise PolicyError(f"{source}: not valid YAML") from None
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise PolicyError(f"{source}: a policy is a YAML mapping that begins with apiVersion: sfumato/v1")
    return tree, dict(_places(node, ()))


def _places(node: object, path: Path_) -> list[tuple[Path_, tuple[int, int]]]:
    found: list[tuple[Path_, tuple[int, int]]] = []
    if isinstance(node, MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            found += [(here, (key.start_mark.line + 1, key.start_mark.column + 1)), *_places(value, here)]
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            here = (*path, index)
            found += [(here, (value.start_mark.line + 1, value.start_mark.column + 1)), *_places(value, here)]
    return found


def _at(source: str, places: Mapping[Path_, tuple[int, int]], field: Path_) -> str:
    """`file:line:column` of a field, or of the nearest parent that stands in the file."""
    for length in range(len(field), 0, -1):
        if field[:length] in places:
            line, column = places[field[:length]]
            return f"{source}:{line}:{column}"
    return source


def _validated(tree: Tree, places: Places, source: str) -> Policy:
    try:
        return Policy.model_validate(_tuples(tree))
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    field = tuple(part for part in first["loc"] if not (isinstance(part, str) and "[" in part))
    dotted = ".".join(str(part) for part in field) or "policy"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise PolicyError(f"{_at(source, places, field)}: {dotted}: {_advice(first['type'], first['msg'], field)}{more}")


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Lists as tuples, whole numbers kept apart from floats, so that strict validation sees what was meant."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _advice(kind: str, message: str, field: Path_) -> str:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(field[-1]), _known(field[:-1]), n=1)
        return "no such field" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "missing":
        return "missing; it has no default and must be stated"
    return message.removeprefix("Value error, ")


def _known(field: Path_) -> list[str]:
    """Names that the schema knows at this place."""
    model: Any = Policy
    for part in field:
        if isinstance(part, int):
            continue
        if part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        models = [item for item in inner if isinstance(item, type) and issubclass(item, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields) + (["extends", "override"] if model is Policy else [])
