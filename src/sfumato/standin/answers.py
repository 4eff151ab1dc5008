"""Makes the object a schema asks for: valid, the same every time, and about what the prompt is about."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.model.private import Private
from sfumato.standin import shape
from sfumato.standin.words import Reading, identifying, read, told, topics, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfumato.model.strict_json import Json, JsonObject

NONE = "none of these"
MOST_NAMES = 1_000
CHOSEN = 2  # of a list of closed values whose length is not limited
RATINGS = frozenset({"rating", "score"})
REASONS = ("It speaks of a subject, not of a person.", "It holds a digit, an address, markup or a mark.")
DEFAULT_LABELS = 3
_WANTED = re.compile(r"\b(\d{1,4}) names\b")
CHILDREN_PER_PARENT = 4
_BY_FORMAT = {
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "date-time": "2000-01-01T00:00:00Z",
    "duration": "P1D",
    "email": "nobody@example.invalid",
    "hostname": "example.invalid",
    "uri": "https://example.invalid/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def answer(schema: JsonObject, text: str, *, system: str = "", guess: bool = False) -> Json:
    """A value that satisfies the schema, about the text. system: where the question may stand, in its last line.

    guess: what no word of the text decides follows from its first phrase, so that conversations about one thing share
    it; otherwise it is `no`, none, nothing.

    Raises:
        InputError: the schema is not one, or is recursive.
    """
    return _Answerer(root=schema, reading=read(text), system=system, guess=guess).value(schema, "", 0)


def sentence(text: str) -> str:
    """Free text, where no schema is given."""
    return _asks("The user asks about", topics(read(text), 3))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Answerer(Private):
    root: JsonObject
    reading: Reading
    system: str
    guess: bool

    def value(self, schema: Json, name: str, depth: int) -> Json:
        wanted = shape.resolved(schema, self.root, depth=depth)
        if name == "rule" and shape.nullable(schema) and not identifying(self.reading.focus):
            return None  # an auditor who finds nothing names no rule
        domain = shape.choices(wanted)
        if domain:
            return self._choice(name, domain)
        kind = shape.kind(wanted)
        if kind == "object":
            fields = shape.properties(wanted)
            return {key: self.value(inner, key, depth + 1) for key, inner in fields.items()}
        return self._list(wanted, name, depth) if kind == "array" else self._leaf(wanted, name, kind)

    def _leaf(self, wanted: Mapping[str, Json], name: str, kind: str) -> Json:
        match kind:
            case "integer" | "number":
                return self._number(wanted, name, whole=kind == "integer")
            case "boolean":
                return self._flag(name)
            case "null":
                return None
        return _fitted(self._string(wanted, name), wanted)

    def _flag(self, name: str) -> bool:
        return self._speaks_of_it() if name == "answer" else self._hash(name) % 2 == 0

    def _choice(self, name: str, domain: Sequence[Json]) -> Json:
        """The value whose words stand in the text; several or none: one of them by hash."""
        lowered = {str(value).lower(): value for value in domain}
        if name in RATINGS and all(isinstance(value, int | float) for value in domain):
            ordered = sorted(value for value in domain if isinstance(value, int | float))
            return ordered[0] if identifying(self.reading.focus) else ordered[-1]
        if {"yes", "no"} <= lowered.keys():
            return lowered["yes" if self._speaks_of_it() else "no"]
        held = words(self._without_lists(domain))
        scores = [len(words(str(value)) & held) if isinstance(value, str) else 0 for value in domain]
        if not any(scores) and NONE in lowered:
            return self._guessed(name, domain) if self.guess else lowered[NONE]
        best = [value for value, score in zip(domain, scores, strict=True) if score == max(scores)]
        return best[self._hash(name) % len(best)]

    def _without_lists(self, domain: Sequence[Json]) -> str:
        """The text, untagged less the candidates that it may merely list: being listed is no sign of being meant."""
        text = self.reading.focus.lower()
        for value in domain if not self.reading.around else ():
            if isinstance(value, str) and " " in value.strip():
                text = text.replace(value.lower(), " ", 1)
        return text

    def _number(self, schema: Mapping[str, Json], name: str, *, whole: bool) -> int | float:
        """Within the limits; where one is missing, five steps wide, from 1 where none is given."""
        low, high = _bound(schema, "inimum", 1 if whole else 0), _bound(schema, "aximum", -1 if whole else 0)
        if low is None:
            low = 1.0 if high is None or high >= 1 else high - 4
        high = max(low, low + 4 if high is None else high)
        if name in RATINGS:
            found = low if identifying(self.reading.focus) else high
        elif whole:
            found = math.ceil(low) + self._hash(name) % (math.floor(high) - math.ceil(low) + 1)
        else:
            found = (low + high) / 2
        return int(found) if whole else found

    def _list(self, schema: Mapping[str, Json], name: str, depth: int) -> list[Json]:
        items = shape.resolved(schema.get("items", {}), self.root, depth=depth + 1)
        least = shape.limit(schema, "minItems", 0)
        domain = shape.choices(items)
        if domain:
            held = words(self.reading.focus)
            named: list[Json] = [v for v in domain if isinstance(v, str) and words(v) and words(v) <= held]
            if self.guess and not named:
                named = [self._guessed(name, domain)]
            rest = [value for value in domain if value not in named]
            found = [*named, *rest[: max(0, least - len(named))]][: shape.limit(schema, "maxItems", max(least, CHOSEN))]
            return found + [domain[0]] * (least - len(found))
        most = shape.limit(schema, "maxItems", max(least, DEFAULT_LABELS))
        if shape.kind(items) != "string":
            return [self.value(items, name, depth + 1) for _ in range(min(most, max(least, 1)))]
        most = shape.limit(schema, "maxItems", max(least, MOST_NAMES)) if name == "names" else most
        said = self._parents(most) if name == "names" else list(self.reading.phrases[:most])
        said += ["small talk" + " again" * number for number in range(least - len(said))]
        return [_fitted(text, items) for text in said]

    def _parents(self, most: int) -> list[str]:
        """As many names as the prompt asks for: words that most of the listed names share, then words of the rest."""
        left = [told(name) for name in self.reading.names or self.reading.phrases]
        stated = _WANTED.search(self.reading.around)
        target = int(stated[1]) if stated else -(-len(left) // CHILDREN_PER_PARENT)
        ranked = [word for word, _ in Counter(word for name in left for word in name).most_common()]
        covering: dict[str, None] = {}
        for word in ranked:
            if any(word in name for name in left):
                covering[word] = None
                left = [name for name in left if word not in name]
        return [f"Ask about {word}" for word in [*dict.fromkeys([*covering, *ranked])][: max(1, min(most, target))]]

    def _string(self, schema: Mapping[str, Json], name: str) -> str:
        few = topics(self.reading, 3)
        match name:
            case "summary":
                return _asks("The user asks about", few)
            case "name" | "title" | "parent":
                return _joined("Ask about", few[:2])
            case "description":
                return _asks("People ask about", few)
            case "reason":
                return REASONS[identifying(self.reading.focus)]
            case "answer":
                return "yes" if self._speaks_of_it() else "no"
        return _BY_FORMAT.get(str(schema.get("format")), few[0])

    def _speaks_of_it(self) -> bool:
        """Whether a word of the question that is no grammar stands in the text."""
        question = self.reading.around.strip() or self.system.strip().rpartition("\n")[2]
        asked = {word for phrase in topics(read(question), 12) for word in phrase.split()}
        if not self.guess:
            return bool(asked & words(self.reading.focus))
        return bool(asked & words(self.reading.focus)) or self._guessed(question, (True, False)) is True

    def _guessed(self, name: str, domain: Sequence[Json]) -> Json:
        """One of the values, but for none of them, by the first phrase alone."""
        found = [value for value in domain if value != NONE]
        return found[_drawn(f"{name}\0{topics(self.reading, 1)[0]}") % len(found)]

    def _hash(self, name: str) -> int:
        return _drawn(f"{name}\0{self.reading.focus}")


def _drawn(told: str) -> int:
    return int.from_bytes(hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()[:8])


def _bound(schema: Mapping[str, Json], which: str, inside: int) -> float | None:
    """`minimum` or `maximum`, or the exclusive one moved `inside` the range."""
    for name, step in ((f"m{which}", 0), (f"exclusiveM{which}", inside)):
        value = schema.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) + step
    return None


def _joined(opening: str, phrases: Sequence[str]) -> str:
    *head, last = phrases
    return f"{opening} {', '.join(head)} and {last}" if head else f"{opening} {last}"


def _asks(opening: str, phrases: Sequence[str]) -> str:
    return _joined(opening, phrases) + "."


def _fitted(text: str, schema: Mapping[str, Json]) -> str:
    """Cut at a word, or stretched, to the lengths the schema allows."""
    least, most = shape.limit(schema, "minLength", 0), shape.limit(schema, "maxLength", len(text) + 1)
    if len(text) > most:
        text = text[: most + 1].rpartition(" ")[0] or text[:most]
    while len(text) < least:
        text = f"{text} and more"[: max(most, least)]
    return text
