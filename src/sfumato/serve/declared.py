"""No parameter but those an address declares: a filter that is misspelt must not silently be no filter."""

from __future__ import annotations

from fastapi import Request  # noqa: TC002 - FastAPI reads the signature
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


def only_declared(request: Request) -> None:
    """Refuse a query parameter that the route does not have, or has once and is given twice; its name is not repeated.

    Raises:
        RequestValidationError: there is one.
    """
    route = request.scope.get("route")
    known = {one.alias for one in route.dependant.query_params} if isinstance(route, APIRoute) else set()
    given = [name for name, _ in request.query_params.multi_items()]
    if not known.issuperset(given):
        raise RequestValidationError([{"loc": ("query", ""), "type": "extra_forbidden"}])
    if len(set(given)) != len(given):
        raise RequestValidationError([{"loc": ("query",), "type": "given_twice"}])
