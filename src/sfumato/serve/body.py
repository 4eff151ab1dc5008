"""The JSON body of a request, read after the key was checked: 415, 413, 422, and never a word of it in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES = 16 * 2**10
_DIGITS = 9  # of a length that is worth reading as a number
Wanted = TypeVar("Wanted", bound=BaseModel)


class Body(Generic[Wanted]):
    """A dependency: the body as this model, strictly."""

    def __init__(self, model: type[Wanted]) -> None:
        self._model = model
        self._schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        self._defined: Mapping[str, dict[str, object]] = self._schema.pop("$defs", {})
        self._fields = {name for part in (self._schema, *self._defined.values()) for name in _properties(part)}

    async def __call__(self, request: Request) -> Wanted:
        """Read and check.

        Raises:
            HTTPException: 415 where it does not say that it is JSON, 413 where it is too long.
            RequestValidationError: it is not JSON, or not of this form.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415)
        try:
            return self._model.model_validate_json(await _read(request), strict=True)
        except ValidationError as problem:
            found = problem.errors(include_url=False, include_context=False, include_input=False)
            places = dict.fromkeys((self._place(one["loc"]), one["type"]) for one in found)
            raise RequestValidationError([{"loc": place, "type": code} for place, code in places]) from None

    def _place(self, steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Where, in names that the model declares: not a caller's own key, nor which form of a union was tried."""
        return ("body", *(step for step in steps if isinstance(step, int) or step in self._fields))

    def declared(self) -> dict[str, object]:
        """The request body for OpenAPI (`openapi_extra`)."""
        return {"requestBody": {"required": True, "content": {"application/json": {"schema": self._schema}}}}

    def schemas(self) -> Mapping[str, dict[str, object]]:
        """The schemas that the declaration refers to."""
        return self._defined


def _properties(schema: Mapping[str, object]) -> list[str]:
    found = schema.get("properties")
    return list(found) if isinstance(found, dict) else []


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > _DIGITS or int(declared) > BODY_BYTES:
        raise HTTPException(413)
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > BODY_BYTES:
            raise HTTPException(413)
    return bytes(read)
