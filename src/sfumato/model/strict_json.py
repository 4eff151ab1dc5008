"""JSON without leniency: canonical bytes out (RFC 8785), checked values in, errors that name a JSON pointer."""

from __future__ import annotations

import json
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import rfc8785

from sfumato.errors import InputError
from sfumato.model.guarantee import NANO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"
SAFE_INTEGER = 2**53 - 1  # RFC 8785: beyond it a JSON number no longer names one integer


def dumps(value: Json) -> bytes:
    """Canonical JSON.

    Raises:
        InputError: the value holds a number or a string that JSON can't carry (NaN, infinity, a lone surrogate).
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        raise InputError("the document holds a number or a string that canonical JSON can't carry") from None


def canonical_parts(value: JsonObject) -> dict[str, bytes]:
    """Each member of an object as canonical `"key":value`; `joined` makes any choice of them an object again."""
    return {key: dumps(key) + b":" + dumps(member) for key, member in value.items()}


def joined(parts: Mapping[str, bytes]) -> bytes:
    """The canonical object of these members: RFC 8785 sorts by the UTF-16 code units of the keys."""
    return b"{" + b",".join(parts[key] for key in sorted(parts, key=lambda key: key.encode("utf-16-be"))) + b"}"


def loads(raw: bytes) -> JsonObject:
    """One JSON object, UTF-8, without duplicate keys, NaN or infinities.

    Raises:
        InputError: it is not that.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the document is not UTF-8") from None
    with _no_other_error():
        value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise InputError("the document is not a JSON object")
    return value


def object_at(text: str, start: int) -> tuple[JsonObject, int]:
    """The JSON object that begins with the brace at `start`, as strict as `loads`, and where it ends.

    Raises:
        InputError: there is none, or it holds a lone surrogate, spelt out or as an escape.
    """
    with _no_other_error():
        value, end = _DECODER.raw_decode(text, start)
        _PLAIN.encode(value).encode("utf-8")
    return value, end


@contextmanager
def _no_other_error() -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise InputError("the document is not JSON, or is nested too deeply") from None


def _without_duplicates(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InputError("the document names a key twice in one object")
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise InputError("the document holds NaN or an infinity, which JSON does not have")


def _integer(digits: str) -> int | float:
    """RFC 8785 writes large floats without a point; only a float can stand behind such a number."""
    value = int(digits)
    return value if abs(value) <= SAFE_INTEGER else _finite(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InputError("the document holds a number too large for JSON")
    return value


_PLAIN = json.JSONEncoder(ensure_ascii=False, check_circular=False)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_constant=_refuse_constant,
    parse_int=_integer,
    parse_float=_finite,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it stands. Every reader raises InputError naming the JSON pointer, never the value."""

    value: Json
    key: str | int = ""
    parent: Node | None = None

    def fail(self, wanted: str) -> NoReturn:
        """Raise the error of this place."""
        raise InputError(f"release document, {self.pointer or 'root'}: {wanted}")

    @property
    def pointer(self) -> str:
        """Where the value stands (RFC 6901), printable and short whatever the keys are."""
        above = self.parent.pointer if self.parent else ""
        name = str(self.key).replace("~", "~0").replace("/", "~1")
        return f"{above}/{re.sub('[^ -~]', '?', name)[:64]}" if self.parent or name else ""

    def fields(self, *names: str, optional: Iterable[str] = ()) -> dict[str, Node]:
        """An object with exactly these keys, and perhaps the optional ones."""
        found = self.entries()
        missing = [name for name in names if name not in found]
        if missing:
            self.fail(f"`{missing[0]}` is missing")
        if not found.keys() <= {*names, *optional}:
            self.fail("has a key that this format does not know")
        return found

    def entries(self) -> dict[str, Node]:
        """An object with keys of its own choice."""
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        return {key: Node(value, key, self) for key, value in self.value.items()}

    def items(self) -> list[Node]:
        """A list."""
        if not isinstance(self.value, list):
            self.fail("must be a list")
        return [Node(value, index, self) for index, value in enumerate(self.value)]

    def text(self, pattern: str | None = None) -> str:
        """A string, whole-matching the pattern."""
        if not isinstance(self.value, str):
            self.fail("must be a string")
        if pattern is not None and not re.fullmatch(pattern, self.value):
            self.fail(f"must match {pattern}")
        return self.value

    def one_of(self, *choices: str) -> str:
        """One of the named strings."""
        found = self.text()
        if found not in choices:
            self.fail(f"must be one of {', '.join(choices)}")
        return found

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.fail("must be true or false")
        return self.value

    def whole(self, *, minimum: int = -SAFE_INTEGER) -> int:
        """An integer."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not minimum <= self.value <= SAFE_INTEGER:
            self.fail("must be a whole number" + (f" of at least {minimum}" if minimum > -SAFE_INTEGER else ""))
        return self.value

    def number(self, *, minimum: float = -math.inf) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail("must be a number")
        found = float(self.value)
        if not math.isfinite(found) or found < minimum:
            self.fail("must be a finite number" + (f" of at least {minimum:g}" if minimum > -math.inf else ""))
        return found

    def nano(self) -> int:
        """A decimal with at most nine places, in units of one billionth."""
        scaled = Decimal(repr(self.number(minimum=0))) * NANO
        if scaled != scaled.to_integral_value() or scaled > SAFE_INTEGER:
            self.fail("must have at most nine decimal places")
        return int(scaled)
