"""The REST interface put together: releases out, to whom the policy says, and nothing in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.routing import APIRoute

from sfumato.serve import (
    page,
    problems,
    routes_budget,
    routes_compare,
    routes_facets,
    routes_growth,
    routes_policy,
    routes_releases,
    routes_search,
    routes_state,
    routes_tables,
    routes_topics,
    routes_trends,
)
from sfumato.serve.body import Body
from sfumato.serve.fast import Fast
from sfumato.serve.reading import Reading
from sfumato.serve.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fastapi import APIRouter
    from starlette.types import ASGIApp

    from sfumato.serve.ports import BudgetPort, EmbedPort, Gatekeeper, Releases

    Layer = Callable[[ASGIApp], ASGIApp]
    """ASGI middleware; `scope["state"]["decision"]` holds what was decided once the inner application has answered."""


def build_app(
    store: Releases,
    access: Gatekeeper,
    policy_view: Mapping[str, object],
    *,
    search: EmbedPort | None = None,
    budget: BudgetPort | None = None,
    extras: Sequence[APIRouter] = (),
    layers: Sequence[Layer] = (),
) -> FastAPI:
    """The application.

    policy_view: what /v1/policy shows. search: sentence vectors, without which search goes by words. budget: without
    it there is no /v1/budget. extras: further routers, each route with a `Requires` among its dependencies. layers:
    around the routes and within the shield, the first outermost.
    """
    app = FastAPI(
        title="sfumato",
        summary="Differentially private topics of AI conversations.",
        telemetry={"logs": False, "auto_configure": False},
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    reading = Reading(store=store, access=access)
    routers = [*_routers(reading, policy_view, search=search, budget=budget), *extras]
    for router in routers:
        app.include_router(router)
    app.add_middleware(Fast, access=access, store=store, shelf=reading.shelf)
    for layer in reversed(layers):
        app.add_middleware(layer)
    app.add_middleware(Shield)
    _declare(app, routers)
    return app


def _routers(
    reading: Reading, policy_view: Mapping[str, object], *, search: EmbedPort | None, budget: BudgetPort | None
) -> Iterator[APIRouter]:
    yield page.router()
    yield routes_state.router(reading.store, reading.access)
    yield routes_releases.router(reading)
    yield routes_topics.router(reading)
    yield routes_facets.router(reading)
    yield routes_growth.router(reading)
    yield routes_tables.router(reading)
    yield routes_compare.router(reading)
    yield routes_search.router(reading, search)
    yield routes_trends.router(reading)
    yield routes_policy.router(reading, policy_view)
    if budget is not None:
        yield routes_budget.router(reading, budget)


def _asked(routers: Sequence[APIRouter]) -> dict[str, object]:
    """The schemas of the bodies that routes read."""
    routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
    bodies = (one.call for route in routes for one in route.dependant.dependencies if isinstance(one.call, Body))
    return {name: schema for body in bodies for name, schema in body.schemas().items()}


def _declare(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Put the schemas that problems and bodies refer to into the OpenAPI document, and drop FastAPI's own.

    It is made when it is first asked for, which takes longer than the application itself.
    """
    undeclared = app.openapi

    def declared() -> dict[str, object]:
        if app.openapi_schema is None:
            document = undeclared()
            schemas = document["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas |= {**problems.schemas(), **_asked(routers)}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = declared  # type: ignore[method-assign]  # the way that FastAPI documents
