"""The REST interface: releases out, to whom the policy says, and nothing in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, FastAPI, Header, HTTPException, Path, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sfumato.serve import page, problems, views, wire
from sfumato.serve.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from sfumato.serve.access import Decision, Operation
    from sfumato.serve.store import Stored

    class Releases(Protocol):
        """What holds the releases."""

        def releases(self) -> tuple[Stored, ...]: ...
        def get(self, release_id: str) -> Stored | None: ...

    class Gatekeeper(Protocol):
        """What decides who may do what."""

        def decide(self, token: str | None, operation: Operation) -> Decision: ...
        def check(self) -> None: ...


ReleaseId = Annotated[str, Path(pattern="^rel_[0-9a-f]{20}$")]
TopicId = Annotated[str, Path(pattern="^[A-Za-z0-9_.-]{1,64}$")]
IfNoneMatch = Annotated[str | None, Header(max_length=1000)]
_bearer = HTTPBearer(auto_error=False, description="An API key: `sfk_...`")
_log = logging.getLogger(__name__)
_DENIED = problems.responses(401, 403, 500, 503)
_ABSENT = problems.responses(404, 422)
_UNCHANGED: dict[int | str, dict[str, object]] = {304: {"description": "The caller's copy is the document."}}


def build_app(store: Releases, access: Gatekeeper, policy_view: Mapping[str, object]) -> FastAPI:
    """The application. `policy_view` is what /v1/policy shows: the policy's public parts as JSON values."""
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
    app.add_middleware(Shield)
    app.include_router(page.router())
    app.include_router(_state(store, access))
    app.include_router(_releases(store, access))
    app.include_router(_policy(access, policy_view))
    _declare_problem(app)
    return app


class _Requires:
    """A dependency that lets a request pass, or ends it with 401 or 403."""

    def __init__(self, access: Gatekeeper, operation: Operation) -> None:
        self._access = access
        self._operation = operation

    def __call__(self, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
        decision = self._access.decide(credentials.credentials if credentials else None, self._operation)
        if decision.allowed:
            return
        who = decision.principal.key_id if decision.principal else "nobody"
        _log.info("refused: %s for key %s: %s", self._operation, who, decision.reason)
        if decision.principal is None:
            raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer realm="sfumato"'})
        raise HTTPException(403)


def _state(store: Releases, access: Gatekeeper) -> APIRouter:
    router = APIRouter(tags=["state"])

    @router.get("/healthz")
    def healthz() -> wire.StateShape:
        """The process answers."""
        return wire.StateShape(status="ok")

    @router.get("/readyz", responses=problems.responses(503))
    def readyz() -> wire.StateShape:
        """Releases and keys can be read."""
        store.releases()
        access.check()
        return wire.StateShape(status="ok")

    return router


def _releases(store: Releases, access: Gatekeeper) -> APIRouter:
    router = APIRouter(
        prefix="/v1/releases",
        tags=["releases"],
        dependencies=[Security(_Requires(access, "releases"))],
        responses=_DENIED,
    )

    def found(release_id: str) -> Stored:
        stored = store.get(release_id)
        if stored is None:
            raise HTTPException(404)
        return stored

    @router.get("")
    def releases() -> wire.SummariesShape:
        """All releases, newest first."""
        return wire.SummariesShape(releases=[views.summary(stored.release) for stored in store.releases()])

    @router.get("/{release_id}", response_model=wire.ReleaseShape, responses={**_ABSENT, **_UNCHANGED})
    def release(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """The signed document, byte for byte as it was verified."""
        stored = found(release_id)
        headers = {"ETag": f'"{release_id}"', "Cache-Control": "private, immutable", "Vary": "Authorization"}
        if if_none_match and headers["ETag"] in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(stored.body, media_type="application/json", headers=headers)

    @router.get("/{release_id}/topics", responses=_ABSENT)
    def topics(release_id: ReleaseId) -> wire.TreeShape:
        """The topics as a tree."""
        return views.tree(found(release_id).release)

    @router.get("/{release_id}/topics/{topic_id}", responses=_ABSENT)
    def topic(release_id: ReleaseId, topic_id: TopicId) -> wire.OneTopicShape:
        """One topic with its phrases and facets."""
        view = views.one_topic(found(release_id), topic_id)
        if view is None:
            raise HTTPException(404)
        return view

    @router.get("/{release_id}/guarantee", responses=_ABSENT)
    def guarantee(release_id: ReleaseId) -> wire.CardShape:
        """The guarantee card."""
        return views.card(found(release_id))

    return router


def _policy(access: Gatekeeper, policy_view: Mapping[str, object]) -> APIRouter:
    router = APIRouter(prefix="/v1/policy", tags=["policy"], responses=_DENIED)

    @router.get("", dependencies=[Security(_Requires(access, "policy"))])
    def policy() -> dict[str, object]:
        """The policy in force."""
        return dict(policy_view)

    return router


def _declare_problem(app: FastAPI) -> None:
    """Put the schema that the declared problems refer to into the OpenAPI document, and drop FastAPI's own."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= problems.schemas()
    app.openapi_schema = document
