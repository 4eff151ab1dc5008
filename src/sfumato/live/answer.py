"""From noisy numbers to the document that is answered: thresholds, intervals, guarantee, and a size that is no clue."""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from sfumato.gate.card import NEIGHBOURING
from sfumato.model.guarantee import NANO
from sfumato.model.question import FORMAT, Cell, Number, encode
from sfumato.model.strict_json import dumps
from sfumato.policy import decide
from sfumato.policy.figures import Z95, published
from sfumato.privacy import accounting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from fractions import Fraction

    from sfumato.live.design import Design, Part
    from sfumato.live.frame import Scale
    from sfumato.live.measure import Series
    from sfumato.live.terms import Terms
    from sfumato.model.question import Question
    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.policy.schema import Thresholds

SIZE_CLASS = 4096  # bytes; sizes double from there
WIDEST = 9_999_999_999.1234  # no number that is shown takes more characters
PLACES = 4  # of a mean


def cells(design: Design, users: Series, other: Series | None, limits: Thresholds) -> tuple[Cell, ...]:
    """Every cell in its order, each with its numbers or without any.

    A cell is shown where its noisy users reach the threshold and three standard deviations; conversations must reach
    theirs too.
    """
    return tuple(
        Cell(at=at, numbers=_numbers(design, place, users, other, limits))
        for place, at in enumerate(product(*(axis.labels for axis in design.axes)))
    )


def _numbers(
    design: Design, place: int, users: Series, other: Series | None, limits: Thresholds
) -> dict[str, Number] | None:
    count = float(users.values[place])
    if not decide.release_cell(limits, users=count, sigma=users.sigma).allowed:
        return None
    found = {"users": _whole(count, users.sigma)}
    if other is None:
        return found
    value = float(other.values[place])
    if design.scale is not None:
        return found | {"mean": _mean(design.scale, count, users.sigma, value, other.sigma)}
    if not value >= max(limits.min_conversations, decide.NOISE_FLOOR * other.sigma):
        return None
    return found | {"conversations": _whole(value, other.sigma)}


def _whole(value: float, sigma: float) -> Number:
    """As a release shows it: whole numbers, cut at zero."""
    shown, low, high = published(value, sigma)
    return Number(value=shown, low=low, high=high)


def _mean(scale: Scale, count: float, count_sigma: float, total: float, total_sigma: float) -> Number:
    """The mean over users of each one's own mean. total: of places between -1 and 1.

    The interval is by the delta method: var(t / n) = (var(t) + (t / n)^2 var(n)) / n^2, cut at the ends of the scale.
    """
    middle, half = (scale.lowest + scale.highest) / 2, (scale.highest - scale.lowest) / 2
    ratio = min(max(total / count, -1.0), 1.0)
    reach = Z95 * math.hypot(total_sigma, ratio * count_sigma) / count
    value, low, high = (
        round(middle + half * min(max(one, -1.0), 1.0), PLACES) for one in (ratio, ratio - reach, ratio + reach)
    )
    return Number(value=value, low=low, high=high)


def answered(question: Question, design: Design, terms: Terms, *, digest: str, shown: Iterable[Cell]) -> JsonObject:
    """The answer about one epoch."""
    return {
        **_head(terms.plan.dataset, terms.plan.epoch, digest),
        "outcome": "answered",
        "question": encode(question),
        "cells": [_cell(one) for one in shown],
        "guarantee": _guarantee(design, terms),
    }


def withheld(dataset: str, epoch: str, design: Design | None) -> JsonObject:
    """What is said where nothing may be: it has the cells of the question, where they are known, and no number."""
    at = product(*(axis.labels for axis in design.axes)) if design is not None else ()
    return {
        **_head(dataset, epoch, None),
        "outcome": "withheld",
        "question": None,
        "cells": [_cell(Cell(at=one, numbers=None)) for one in at],
        "guarantee": None,
    }


def widest(question: Question, design: Design | None, terms: Terms | None) -> int:
    """The bytes of an answer to this question that shows every number: what its size is classed by."""
    if design is None or terms is None:
        return SIZE_CLASS // 2
    number = Number(value=WIDEST, low=WIDEST, high=WIDEST)
    full: dict[str, Number] = {part.name: number for part in design.parts}
    shown = (Cell(at=at, numbers=full) for at in product(*(axis.labels for axis in design.axes)))
    return len(dumps(answered(question, design, terms, digest="0" * 64, shown=shown)))


def together(answers: Sequence[JsonObject], *, widest: int) -> bytes:
    """The whole answer, padded to the size class of the widest that it could have been: the same bytes every time."""
    held: list[Json] = list(answers)
    bare = dumps({"format": FORMAT, "answers": held, "padding": ""})
    size: int = SIZE_CLASS * 2 ** max(0, math.ceil(math.log2((max(widest, len(bare)) + SIZE_CLASS // 4) / SIZE_CLASS)))
    end = len(bare) - len('"}')  # canonical order has the padding last
    return bare[:end] + b"0" * (size - len(bare)) + bare[end:]


def expected(design: Design, limits: Thresholds) -> JsonObject:
    """Standard deviation and 95 % reach of each number's noise, before anything is read.

    A mean's falls with the users of its cell: given for a cell of ten times the threshold, at the end of the scale.
    """
    return {part.name: dict(_noise(part, design, 10 * limits.min_users)) for part in design.parts}


def _noise(part: Part, design: Design, users: int) -> Iterator[tuple[str, Json]]:
    sigma = part.sigma
    if part.name == "mean" and design.scale is not None:
        half = (design.scale.highest - design.scale.lowest) / 2
        sigma = half * math.hypot(sigma, design.parts[0].sigma) / users
        yield "of_users", users
    yield "sigma", round(sigma, PLACES)
    yield "within_95", round(Z95 * sigma, PLACES)


def price(terms: Terms) -> JsonObject:
    """What one question about one epoch costs."""
    epsilon, delta = _stated(terms.rho, terms.plan.conversion_delta)
    return {"epsilon": epsilon, "delta": delta, "rho": terms.rho / NANO}


@cache
def _stated(rho: int, conversion_delta: Fraction) -> tuple[float, float]:
    return accounting.stated(rho=rho, selection_delta=0, conversion_delta=conversion_delta)


def _head(dataset: str, epoch: str, digest: str | None) -> JsonObject:
    return {"dataset": dataset, "epoch": epoch, "digest": digest}


def _cell(cell: Cell) -> JsonObject:
    numbers: JsonObject | None = None
    if cell.numbers is not None:
        numbers = {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in cell.numbers.items()}
    return {"at": list(cell.at), "numbers": numbers}


def _guarantee(design: Design, terms: Terms) -> JsonObject:
    unit = terms.plan.unit
    bounds: JsonObject = {f"conversations_per_{unit}": terms.conversations, f"cells_per_{unit}": design.l0}
    if design.parts[-1].name == "conversations":
        bounds["conversations_in_full"] = design.reach
    return {
        "mode": "formal",
        "unit": unit,
        "neighbouring": NEIGHBOURING[terms.policy.unit],
        **price(terms),
        "bounds": bounds,
        "mechanisms": [_mechanism(part, design) for part in design.parts],
    }


def _mechanism(part: Part, design: Design) -> JsonObject:
    return {
        "name": part.name,
        "mechanism": "discrete_gaussian",
        "rho": part.rho / NANO,
        "sigma": part.sigma,
        "l0": design.l0,
        "l2": part.l2 / part.step,
    }
