"""YAML text to plain data that knows the line and column of every key, or one line that says where it is broken."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.parser import Parser

from sfumato.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGEST_FILE = 262_144
DEEPEST = 24
MOST_VALUES = 10_000
LONGEST_SHOWN = 120

Tree = dict[str, Any]  # what YAML gives before a schema has seen it
Field = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain data, where it came from, and the (line, column) of every key in it."""

    source: str
    tree: Any
    places: Mapping[Field, tuple[int, int]]

    def at(self, field: Field) -> str:
        """`file:line:column` of a field, or of the nearest parent that stands in the file."""
        for length in range(len(field), 0, -1):
            if field[:length] in self.places:
                line, column = self.places[field[:length]]
                return f"{self.source}:{line}:{column}"
        return self.source


def read(path: Path) -> Document:
    """The document in a file.

    Raises:
        PolicyError: it can't be read, is too large, not UTF-8, or not YAML that `document` takes.
    """
    source = shown(str(path), LARGEST_FILE)
    try:
        if not path.is_file():
            why = "a directory" if path.is_dir() else "no such file"
            raise PolicyError(f"{source}: can't read the policy ({why}); give its path")
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as problem:
        why = problem.strerror or "not a file"
        raise PolicyError(f"{source}: can't read the policy ({why}); give its path") from None
    if len(raw) > LARGEST_FILE:
        raise PolicyError(f"{source}: larger than {LARGEST_FILE // 1024} KiB; that is no policy")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyError(f"{source}: not UTF-8 text; save it as UTF-8") from None
    return document(text, source=source)


def document(text: str, *, source: str) -> Document:
    """Plain data and the place of every key. Aliases are refused: a policy is to be read by people.

    Raises:
        PolicyError: not YAML, a key stands twice, an alias, or nested or long beyond what a policy can be.
    """
    try:
        reader = YAML(typ="safe", pure=True)
        reader.Parser = _Bounded
        node = reader.compose(io.StringIO(text))
        _readable(node, source, YAML(typ="safe", pure=True).constructor)
        tree = None if node is None else reader.constructor.construct_document(node)
        places = dict(_places(node, ()))
    except _NoPolicyError as reason:
        raise PolicyError(f"{source}: {reason}") from None
    except DuplicateKeyError as twice:
        mark = twice.problem_mark
        raise PolicyError(f"{source}:{mark.line + 1}:{mark.column + 1}: this key stands twice; keep one") from None
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise PolicyError(f"{source}{where}: not valid YAML ({shown(str(broken.problem or 'syntax error'))})") from None
    except (YAMLError, ValueError, RecursionError, ArithmeticError, TypeError, AttributeError, LookupError):
        raise PolicyError(f"{source}: not valid YAML") from None
    return Document(source=source, tree=_tuples(tree), places=places)


def shown(value: object, limit: int = LONGEST_SHOWN) -> str:
    """A value from outside as it may stand in a one-line message."""
    text = "".join(char if char.isprintable() else "?" for char in str(value))
    return text if len(text) <= limit else text[: limit - 3] + "..."


class _NoPolicyError(Exception):
    """What no policy has; its message is one line."""


class _Bounded(Parser):
    """A parser that stops before anything deep or long is built."""

    _depth = _values = 0

    def get_event(self) -> object:
        event = super().get_event()
        if isinstance(event, AliasEvent):
            raise _NoPolicyError("YAML aliases (*name) are not allowed; write the value out")
        self._values += 1
        self._depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if self._depth > DEEPEST or self._values > MOST_VALUES:
            raise _NoPolicyError("nested deeper or longer than any policy; that is no policy")
        return event


def _readable(node: object, source: str, constructor: Any) -> None:  # noqa: ANN401 - ruamel's, which has no types
    """A scalar that looks like a date or number and is none fails here, where its place is known."""
    if isinstance(node, ScalarNode):
        try:
            constructor.construct_document(node)
        except (ValueError, ArithmeticError, TypeError, AttributeError, LookupError):
            mark, kind = node.start_mark, str(node.tag).rpartition(":")[2]
            place = f"{source}:{mark.line + 1}:{mark.column + 1}"
            raise PolicyError(f"{place}: not a {shown(kind)} that exists; mend it") from None
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            _readable(key, source, constructor)
            _readable(value, source, constructor)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            _readable(value, source, constructor)


def _places(node: object, path: Field) -> Iterator[tuple[Field, tuple[int, int]]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, (key.start_mark.line + 1, key.start_mark.column + 1)
            yield from _places(value, here)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            here = (*path, index)
            yield here, (value.start_mark.line + 1, value.start_mark.column + 1)
            yield from _places(value, here)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Lists as tuples, so that strict validation sees what was meant."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
