"""From a server's JSON to values: what this client knows must be there and right; what a newer server adds is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sfumato.client.answers import Answer, Part, Price, Quote
from sfumato.client.findings import (
    Account,
    Amount,
    Breakdown,
    Budget,
    Comparison,
    Findings,
    Found,
    Point,
    Summary,
    Trend,
)
from sfumato.client.findings import Part as Value
from sfumato.client.signed import Promise
from sfumato.model.question import Cell, Number
from sfumato.model.release import Estimate

if TYPE_CHECKING:
    from sfumato.client.findings import Measure
    from sfumato.model.guarantee import Mode, Unit
    from sfumato.model.question import Outcome
    from sfumato.model.strict_json import JsonObject, Node

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A part of a list, and the cursor of the next one."""

    items: tuple[Item, ...]
    next: str | None


def summaries(node: Node) -> Page[Summary]:
    """A page of releases."""
    found = _take(node, "releases", "next")
    return Page(items=tuple(_summary(one) for one in found["releases"].items()), next=_text_or_none(found["next"]))


def breakdown(node: Node) -> Breakdown:
    """A facet."""
    found = _take(node, "release", "guarantee", "facet", "topic", "whole", "values")
    return Breakdown(
        release=found["release"].text(),
        promise=_promise(found["guarantee"]),
        facet=found["facet"].text(),
        topic=_text_or_none(found["topic"]),
        whole=_estimate(found["whole"]),
        values=tuple(_value(one) for one in found["values"].items()),
    )


def comparison(node: Node) -> Comparison:
    """A comparison."""
    found = _take(node, "measure", "a", "b", "difference", "verdict", "method")
    a, b = (_take(found[name], "guarantee", "number") for name in ("a", "b"))
    return Comparison(
        measure=cast("Measure", found["measure"].one_of("users", "conversations", "share")),
        a=_number_or_none(a["number"]),
        b=_number_or_none(b["number"]),
        difference=_number_or_none(found["difference"]),
        promises=(_promise(a["guarantee"]), _promise(b["guarantee"])),
        verdict=found["verdict"].text(),
        method=found["method"].text(),
    )


def search(node: Node) -> Findings:
    """What a search found."""
    found = _take(node, "release", "guarantee", "matching", "topics")
    return Findings(
        release=found["release"].text(),
        promise=_promise(found["guarantee"]),
        matching=found["matching"].text(),
        topics=tuple(_found(one) for one in found["topics"].items()),
    )


def trend(node: Node) -> Trend:
    """A topic over releases."""
    found = _take(node, "dataset", "topic", "name", "matching", "releases", "points")
    return Trend(
        dataset=found["dataset"].text(),
        topic=found["topic"].text(),
        name=found["name"].text(),
        matching=found["matching"].text(),
        releases=found["releases"].whole(minimum=0),
        points=tuple(_point(one) for one in found["points"].items()),
    )


def budget(node: Node, *, dataset: str, epoch: str) -> Budget:
    """Two budgets."""
    found = _take(node, "epoch", "year")
    return Budget(dataset=dataset, name=epoch, epoch=_account(found["epoch"]), year=_account(found["year"]))


def quote(node: Node) -> Quote:
    """The price of a question."""
    return Quote(prices=tuple(_price(one) for one in _take(node, "quotes")["quotes"].items()))


def answer(node: Node) -> Answer:
    """The answer to a question."""
    return Answer(parts=tuple(_part(one) for one in _take(node, "answers")["answers"].items()))


def _take(node: Node, *names: str) -> dict[str, Node]:
    """These members, whatever else there is."""
    found = node.entries()
    for name in names:
        if name not in found:
            node.fail(f"`{name}` is missing")
    return found


def _summary(node: Node) -> Summary:
    found = _take(node, "id", "dataset", "epoch", "created", "topics")
    return Summary(
        id=found["id"].text(),
        dataset=found["dataset"].text(),
        epoch=found["epoch"].text(),
        created=found["created"].text(),
        topics=found["topics"].whole(minimum=0),
        promise=_promise(node),
    )


def _promise(node: Node) -> Promise:
    found = _take(node, "mode", "unit", "epsilon", "delta")
    return Promise(
        mode=cast("Mode", found["mode"].one_of("formal", "guarded")),
        unit=cast("Unit", found["unit"].one_of("user", "conversation")),
        epsilon=found["epsilon"].number(minimum=0),
        delta=found["delta"].number(minimum=0),
    )


def _estimate(node: Node) -> Estimate:
    found = _take(node, "value", "low", "high")
    return Estimate(value=found["value"].whole(), low=found["low"].whole(), high=found["high"].whole())


def _number(node: Node) -> Number:
    found = _take(node, "value", "low", "high")
    return Number(value=found["value"].number(), low=found["low"].number(), high=found["high"].number())


def _number_or_none(node: Node) -> Number | None:
    return None if node.value is None else _number(node)


def _text_or_none(node: Node) -> str | None:
    return None if node.value is None else node.text()


def _document_or_none(node: Node) -> JsonObject | None:
    return None if node.value is None else {name: one.value for name, one in node.entries().items()}


def _value(node: Node) -> Value:
    found = _take(node, "value", "users", "share")
    return Value(
        value=found["value"].text(),
        users=None if found["users"].value is None else _estimate(found["users"]),
        share=_number_or_none(found["share"]),
    )


def _found(node: Node) -> Found:
    found = _take(node, "topic", "parent", "level", "name", "users", "score", "where")
    return Found(
        topic=found["topic"].text(),
        parent=_text_or_none(found["parent"]),
        level=found["level"].whole(minimum=0),
        name=found["name"].text(),
        users=_estimate(found["users"]),
        score=found["score"].number(),
        where=found["where"].text(),
    )


def _point(node: Node) -> Point:
    found = _take(
        node, "release", "epoch", "created", "guarantee", "topic", "name", "users", "conversations", "matched"
    )
    return Point(
        release=found["release"].text(),
        epoch=found["epoch"].text(),
        created=found["created"].text(),
        promise=_promise(found["guarantee"]),
        topic=found["topic"].text(),
        name=found["name"].text(),
        users=_estimate(found["users"]),
        conversations=_estimate(found["conversations"]),
        matched=found["matched"].text(),
    )


def _account(node: Node) -> Account:
    found = _take(node, "allowed", "spent", "left")
    return Account(allowed=_amount(found["allowed"]), spent=_amount(found["spent"]), left=_amount(found["left"]))


def _amount(node: Node) -> Amount:
    found = _take(node, "rho", "delta", "epsilon")
    return Amount(rho=found["rho"].number(), delta=found["delta"].number(), epsilon=found["epsilon"].number())


def _price(node: Node) -> Price:
    found = _take(node, "epoch", "allowed", "reason", "charge", "noise", "left")
    charge, left = _amount(found["charge"]), found["left"]
    kept = None if left.value is None else _take(left, "rho", "questions")
    return Price(
        epoch=found["epoch"].text(),
        allowed=found["allowed"].flag(),
        reason=found["reason"].text(),
        rho=charge.rho,
        epsilon=charge.epsilon,
        delta=charge.delta,
        within_95={
            name: _take(one, "within_95")["within_95"].number() for name, one in found["noise"].entries().items()
        },
        rho_left=None if kept is None else kept["rho"].number(),
        questions_left=None if kept is None else kept["questions"].whole(),
    )


def _part(node: Node) -> Part:
    found = _take(node, "dataset", "epoch", "digest", "outcome", "question", "cells", "guarantee")
    return Part(
        dataset=found["dataset"].text(),
        epoch=found["epoch"].text(),
        outcome=cast("Outcome", found["outcome"].one_of("answered", "withheld")),
        digest=_text_or_none(found["digest"]),
        question=_document_or_none(found["question"]),
        guarantee=_document_or_none(found["guarantee"]),
        cells=tuple(_cell(one) for one in found["cells"].items()),
    )


def _cell(node: Node) -> Cell:
    found = _take(node, "at", "numbers")
    numbers = found["numbers"]
    return Cell(
        at=tuple(one.text() for one in found["at"].items()),
        numbers=None if numbers.value is None else {name: _number(one) for name, one in numbers.entries().items()},
    )
