"""PUBLIC. A live question about an epoch and what is answered: values, read strictly, in a form that synonyms share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from sfumato.errors import InputError
from sfumato.model.strict_json import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.model.strict_json import Json, JsonObject

FORMAT = "sfumato.answer/1"
QUOTE = "sfumato.quote/1"
TOPIC = "topic"
Measure = Literal["users", "conversations", "mean"]
Outcome = Literal["answered", "withheld"]

NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
EPOCH = "[0-9]{4}(-[0-9]{2}(-[0-9]{2})?|-W[0-9]{2}|-Q[1-4])?"
RELEASE = "rel_[0-9a-f]{20}"
MOST_BY, MOST_FILTERS, MOST_VALUES, MOST_EPOCHS, MOST_LEVEL = 3, 8, 100, 12, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Only conversations that have one of these values of a facet, or stand under one of these topics."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of each epoch.

    of: the facet whose mean is asked for. by: `topic` and facets, a cell for each combination of their values. where:
    all of these at once. level: of the topics that are broken down by, 0 for leaves. release: whose topics; None takes
    those of the epoch's own.
    """

    measure: Measure
    of: str | None = None
    by: tuple[str, ...] = ()
    where: tuple[Filter, ...] = ()
    level: int = 0
    release: str | None = None

    @property
    def asks_topics(self) -> bool:
        """Whether topics play a part in it."""
        return TOPIC in self.by or any(one.field == TOPIC for one in self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question about one or more epochs of a dataset; each is charged, and answered, by itself.

    dry_run: say what it would cost and how exact it would be, and read no data.
    """

    dataset: str
    epochs: tuple[str, ...]
    question: Question
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A noisy number and its 95 % interval, which is of the noise; whole numbers but for a mean."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The numbers of one combination of values, in the order of the question's `by`; None where they are withheld."""

    at: tuple[str, ...]
    numbers: Mapping[str, Number] | None


def tidy(question: Question) -> Question:
    """The same question in the form that all its spellings share: names and values in order, each once."""
    where = {(one.field, tuple(sorted(set(one.values)))) for one in question.where}
    return replace(
        question,
        by=tuple(sorted(set(question.by))),
        where=tuple(Filter(field=name, values=values) for name, values in sorted(where)),
        level=question.level if TOPIC in question.by else 0,
        release=question.release if question.asks_topics else None,
    )


def encode(question: Question) -> JsonObject:
    """As JSON; of a tidy question, the canonical form once it is dumped canonically."""
    return {
        "measure": question.measure,
        "of": question.of,
        "by": list(question.by),
        "where": [{"field": one.field, "in": list(one.values)} for one in question.where],
        "level": question.level,
        "release": question.release,
    }


def encode_ask(ask: Ask) -> JsonObject:
    """As JSON, which `parse` reads."""
    return {"dataset": ask.dataset, "epochs": list(ask.epochs), "dry_run": ask.dry_run, **encode(ask.question)}


def parse(document: Mapping[str, Json]) -> Ask:
    """What was asked, tidy.

    Raises:
        InputError: it is no question: a field is missing, unknown, ill-typed or too long, or a mean is of nothing.
    """
    asked = Node(dict(document)).fields(
        "dataset", "epochs", "measure", optional=("of", "by", "where", "level", "release", "dry_run")
    )
    measure = cast("Measure", asked["measure"].one_of(*get_args(Measure)))
    of, release = (_optional(asked.get(name), pattern) for name, pattern in (("of", NAME), ("release", RELEASE)))
    if (measure == "mean") != (of is not None):
        raise InputError("a mean is of a facet, named in `of`, and nothing else is")
    level = asked["level"].whole(minimum=0) if "level" in asked else 0
    if level > MOST_LEVEL:
        raise InputError("no tree of topics is that high")
    question = Question(
        measure=measure,
        of=of,
        by=tuple(one.text(NAME) for one in _some(asked.get("by"), MOST_BY)),
        where=tuple(_filter(one) for one in _some(asked.get("where"), MOST_FILTERS)),
        level=level,
        release=release,
    )
    epochs = sorted({one.text(EPOCH) for one in _some(asked["epochs"], MOST_EPOCHS)})
    if not epochs:
        raise InputError("a question is about at least one epoch")
    return Ask(
        dataset=asked["dataset"].text(NAME),
        epochs=tuple(epochs),
        question=tidy(question),
        dry_run=asked["dry_run"].flag() if "dry_run" in asked else False,
    )


def _optional(node: Node | None, pattern: str) -> str | None:
    return None if node is None or node.value is None else node.text(pattern)


def _some(node: Node | None, most: int) -> list[Node]:
    found = [] if node is None else node.items()
    if len(found) > most:
        raise InputError(f"a question has a list of more than {most}")
    return found


def _filter(node: Node) -> Filter:
    found = node.fields("field", "in")
    return Filter(
        field=found["field"].text(NAME),
        values=tuple(one.text("(?s).{1,64}") for one in _some(found["in"], MOST_VALUES)),
    )
