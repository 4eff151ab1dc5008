"""One released number against another: two topics, two groups, or two epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.exceptions import RequestValidationError

from sfumato.serve import breakdown, compare, views
from sfumato.serve import wire_analysis as wire
from sfumato.serve.body import Body
from sfumato.serve.reading import BODY

if TYPE_CHECKING:
    from sfumato.serve.compare import Cell, Measure
    from sfumato.serve.reading import Reading

ASKED = Body(wire.CompareShape)


def router(reading: Reading) -> APIRouter:
    """`POST /v1/compare`."""
    found = reading.router("/v1/compare")

    @found.post("", responses=BODY, openapi_extra=ASKED.declared())
    def comparison(question: Annotated[wire.CompareShape, Depends(ASKED)]) -> wire.ComparisonShape:
        """The difference a - b with its 95 % interval, from released numbers only.

        Noise of two numbers is independent, so variances add; shares: Fieller's interval of each, then MOVER. Each
        interval holds alone: of twenty comparisons of equal numbers, about one finds a difference.
        """
        asked = question.root
        first = reading.found(asked.a.release).release
        second = reading.found(asked.b.release).release
        if first.guarantee.unit != second.guarantee.unit:
            raise RequestValidationError([{"loc": ("body", "b", "release"), "type": "another_unit"}])
        result = compare.compared(
            _cell(reading, asked.a, asked.measure), _cell(reading, asked.b, asked.measure), asked.measure
        )
        return wire.ComparisonShape(
            measure=asked.measure,
            a=wire.SideShape(guarantee=views.promise(first), number=breakdown.ratio(result.a)),
            b=wire.SideShape(guarantee=views.promise(second), number=breakdown.ratio(result.b)),
            difference=_difference(result),
            verdict=result.verdict,
            method=compare.METHODS[asked.measure],
        )

    return found


def _cell(reading: Reading, side: wire.WholeSide | wire.TopicSide | wire.PartSide, measure: Measure) -> Cell:
    question = compare.Question(**side.model_dump())
    cell = compare.cell(reading.found(side.release).release, question, measure)
    if cell is None:
        raise HTTPException(404)
    return cell


def _difference(result: compare.Comparison) -> wire.DifferenceShape | None:
    apart = result.difference
    return None if apart is None else wire.DifferenceShape(value=apart.value, low=apart.low, high=apart.high)
