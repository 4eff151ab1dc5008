"""POST /v1/queries: who may ask is decided here, what is answered is the worker's; the server reads no number of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StringConstraints

from sfumato.errors import InputError
from sfumato.model import question as questions
from sfumato.model.strict_json import Node, loads
from sfumato.serve import problems
from sfumato.serve.askable import AskableShape
from sfumato.serve.body import Body
from sfumato.serve.declared import only_declared
from sfumato.serve.requires import Requires
from sfumato.serve.wire_analysis import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.model.question import Ask
    from sfumato.serve.access import Decision
    from sfumato.serve.ports import Gatekeeper
    from sfumato.serve.query import Asker, Reply

NOT_RUNNING = "Live queries are not running."
TOO_OFTEN = "More questions came from this key than the policy lets it ask in a minute; wait one."
SPENT = "The budget for questions about this epoch is spent; a new epoch of data has its own."
FAILED = "The question could not be answered; the worker's log says why."
Text = Annotated[str, StringConstraints(min_length=1, max_length=64)]
FieldName = Annotated[str, StringConstraints(pattern=f"^{questions.NAME}$")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class FilterShape(_Shape):
    """Only conversations with one of these values of a facet, or under one of these topics."""

    field: FieldName
    values: Annotated[list[Text], Field(alias="in", max_length=questions.MOST_VALUES)]


class _Asked(_Shape):
    dataset: FieldName
    epochs: Annotated[
        list[Annotated[str, StringConstraints(pattern=f"^{questions.EPOCH}$")]],
        Field(min_length=1, max_length=questions.MOST_EPOCHS),
    ]
    by: Annotated[list[FieldName], Field(max_length=questions.MOST_BY)] = []
    where: Annotated[list[FilterShape], Field(max_length=questions.MOST_FILTERS)] = []
    level: Annotated[int, Field(ge=0, le=questions.MOST_LEVEL), BeforeValidator(whole)] = 0
    release: Annotated[str, StringConstraints(pattern=f"^{questions.RELEASE}$")] | None = None
    dry_run: bool = False


class AskCounts(_Asked):
    """How many."""

    measure: Literal["users", "conversations"]
    of: None = None


class AskMean(_Asked):
    """The mean over users of each one's own mean of a facet that is a scale or a number."""

    measure: Literal["mean"]
    of: FieldName


class AskShape(RootModel[Annotated[AskCounts | AskMean, Field(discriminator="measure")]]):
    """A question about one or more epochs, each charged and answered by itself."""


class NumberShape(_Shape):
    """A noisy number with its 95 % interval."""

    value: float
    low: float
    high: float


class CellShape(_Shape):
    """One combination of values; `numbers` is null where they are withheld."""

    at: list[str]
    numbers: dict[str, NumberShape] | None


class AnswerShape(_Shape):
    """About one epoch. `withheld`: something in it is not known or not allowed, which `dry_run` tells."""

    dataset: str
    epoch: str
    digest: str | None
    outcome: Literal["answered", "withheld"]
    question: dict[str, object] | None
    cells: list[CellShape]
    guarantee: dict[str, object] | None


class QuoteShape(_Shape):
    """What a question about one epoch would cost now; `left` is what this key may still ask there."""

    epoch: str
    allowed: bool
    rule: str
    reason: str
    digest: str | None
    charge: dict[str, float]
    noise: dict[str, dict[str, float]]
    left: dict[str, float] | None


class SaidShape(_Shape):
    """Answers, one for each epoch, or quotes."""

    format: Literal["sfumato.answer/1", "sfumato.quote/1"]
    answers: list[AnswerShape] = []
    quotes: list[QuoteShape] = []
    padding: str = ""


class LeftShape(BaseModel):
    """What is left: rho, and how many questions it pays for."""

    model_config = ConfigDict(extra="forbid")
    rho: float
    questions: int


class SpentProblem(problems.Problem):
    """RFC 9457, with what is left and when the next epoch begins."""

    left: LeftShape
    next_epoch: str
    begins: str


ASKED = Body(AskShape)


def router(access: Gatekeeper, asker: Asker | None, askable: Callable[[], AskableShape] | None = None) -> APIRouter:
    """The routes; `asker` is None where no worker was ever configured, `askable` says what the policy lets one ask."""
    requires = [Security(Requires(access, "queries")), Depends(only_declared)]
    routes = APIRouter(prefix="/v1/queries", tags=["queries"], dependencies=requires, responses=_responses())

    @routes.post("", response_model=SaidShape, openapi_extra=ASKED.declared())
    def query(request: Request, asked: Annotated[AskShape, Depends(ASKED)]) -> Response:
        """Ask a question, or with `dry_run` what it would cost.

        The same question gets the same answer for ever and is charged once. A cell that is too small, a value that is
        not known and a breakdown that is not allowed are answered alike: without a number.
        """
        decision: Decision = request.state.decision
        if asker is None or decision.principal is None:
            return _told(503, NOT_RUNNING)
        said = asker.ask(_ask(asked), analyst=decision.principal.key_id, role=decision.principal.role)
        return _told(503, NOT_RUNNING) if said is None else _passed_on(said)

    if askable is not None:

        @routes.get("", response_model=AskableShape)
        def form() -> AskableShape:
            """What may be asked: measures, breakdowns with their values, and what a question costs."""
            return askable()

    return routes


def _ask(asked: AskShape) -> Ask:
    try:
        return questions.parse(asked.model_dump(mode="json", by_alias=True))
    except InputError:  # the forms above and the parser's are the same; should they ever differ, the stricter one holds
        raise RequestValidationError([{"loc": ("body",), "type": "question"}]) from None


def _passed_on(said: Reply) -> Response:
    if said.outcome in {"answer", "quote"}:
        return Response(said.body, media_type="application/json", headers={"Cache-Control": "no-store"})
    if said.outcome == "exhausted":
        return _spent(said.body)
    if said.outcome == "busy":
        return _told(429, TOO_OFTEN, headers={"Retry-After": "60"})
    return _told(422, problems.SENTENCES[422]) if said.outcome == "malformed" else _told(503, FAILED)


def _spent(body: bytes) -> Response:
    found = Node(loads(body)).fields("left", "next_epoch", "begins")
    left = found["left"].fields("rho", "questions")
    problem = SpentProblem(
        title=HTTPStatus(429).phrase,
        status=429,
        detail=SPENT,
        left=LeftShape(rho=left["rho"].number(), questions=left["questions"].whole(minimum=0)),
        next_epoch=found["next_epoch"].text(),
        begins=found["begins"].text(),
    )
    return Response(problem.model_dump_json(), 429, media_type=problems.MEDIA_TYPE)


def _told(status: int, detail: str, *, headers: dict[str, str] | None = None) -> Response:
    problem = problems.Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return Response(problem.model_dump_json(), status, headers, media_type=problems.MEDIA_TYPE)


def _responses() -> dict[int | str, dict[str, object]]:
    plain = {"$ref": "#/components/schemas/Problem"}
    content = {problems.MEDIA_TYPE: {"schema": plain}}
    spent = {problems.MEDIA_TYPE: {"schema": {"anyOf": [plain, _spent_schema()]}}}
    return {
        **problems.responses(401, 403, 413, 415, 422, 500),
        429: {"description": f"{SPENT} Or: {TOO_OFTEN}", "content": spent},
        503: {"description": f"{NOT_RUNNING} Or: {FAILED}", "content": content},
    }


def _spent_schema() -> dict[str, object]:
    """Of `SpentProblem`, without references: OpenAPI knows no definitions of its own within a response."""
    schema = SpentProblem.model_json_schema()
    schema.pop("$defs")
    return schema | {
        "properties": schema["properties"]
        | {"left": LeftShape.model_json_schema(), "errors": {"type": "array", "maxItems": 0, "items": {}}}
    }
