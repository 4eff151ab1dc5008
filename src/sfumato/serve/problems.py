"""Every refusal in one shape, `application/problem+json` (RFC 9457), in fixed sentences: no input, no stack."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

DEPTH = 4  # of a pointer
MEDIA_TYPE = "application/problem+json"
SENTENCES = {
    400: "The request can't be read.",
    401: "Send a valid API key as `Authorization: Bearer sfk_...`.",
    403: "The policy does not give this key's role access.",
    404: "There is nothing here.",
    405: "This address does not take that method.",
    409: "Something else was sent under this Idempotency-Key.",
    413: "The request is too long.",
    415: "Send the request as `application/json`, or conversations as `application/x-ndjson`.",
    422: "A part of the request does not have the expected form.",
    429: "Too many requests; wait and ask again.",
    500: "The server failed; its log says where.",
    503: "The server can't read its data at the moment.",
}


class Complaint(BaseModel):
    """One part of the request that has not the expected form: where, and which rule; never what stood there."""

    model_config = ConfigDict(extra="forbid")
    pointer: str
    code: str


class Problem(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="forbid")
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Complaint] = []


def problem(
    status: int, *, headers: Mapping[str, str] | None = None, errors: list[Complaint] | None = None
) -> JSONResponse:
    """The response of a status, always in the same shape."""
    known = status if status in SENTENCES else (400 if status < 500 else 500)  # noqa: PLR2004 - the class of the status
    detail = SENTENCES.get(known, "The request can't be answered.")
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The declaration of these problems for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": SENTENCES[status], "content": content} for status in statuses}


def schemas() -> dict[str, object]:
    """The schema that these declarations refer to."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def install(app: FastAPI) -> None:
    """Replace FastAPI's own error bodies, which repeat the input."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return problem(error.status_code, headers=_with_head(error.headers or {}))


def _with_head(headers: Mapping[str, str]) -> dict[str, str]:
    """Routes declare GET; HEAD is answered wherever GET is."""
    return {name: "GET, HEAD" if (name, value) == ("Allow", "GET") else value for name, value in headers.items()}


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [Complaint(pointer=_place(one["loc"], one["type"]), code=one["type"]) for one in error.errors()]
    return problem(422, errors=errors)


def _place(steps: Sequence[str | int], code: str) -> str:
    """Where, in names of ours: the last step to a field that nobody declared is the caller's own word."""
    ours = steps[:-1] if code == "extra_forbidden" else steps
    return "/" + "/".join(str(step) for step in ours[:DEPTH])
