"""Who gets in: every route with data asks the policy for one operation, and no principal gets past what it says."""

import random
from typing import Annotated

import pytest
from fastapi import Depends
from pydantic import BaseModel

from api_clients import inside
from api_sites import RELEASE, Book, Site, the_rest
from sfumato.policy.schema import Access as Roles
from sfumato.serve.access import Access, Decision
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ROLES, ApiKeys
from sfumato.serve.body import Body
from sfumato.serve.query import Reply
from sfumato.serve.reading import Reading
from sfumato.serve.recent import RecentDecisions, RecentReleases, file_stamp
from sfumato.serve.requires import Requires
from sfumato.serve.store import ReleaseStore
from sfumato.serve.wire_analysis import TopicSide

OPEN = {"/healthz", "/readyz", "/", "/app.js", "/style.css", "/openapi.json"}
OPERATIONS = ("releases", "queries", "audit", "ledger", "ingest", "policy", "keys")
IDS = {"release_id": RELEASE.id, "topic_id": "t002", "name": "language", "file": "topics.csv"}
QUERIES = {
    "/v1/trends": {"dataset": "assistant-logs", "topic": "t002"},
    "/v1/budget": {"dataset": "assistant-logs", "epoch": "2025-06"},
    "/v1/audit/proofs/inclusion": {"seq": 3, "size": 8},
    "/v1/audit/proofs/consistency": {"old": 3, "new": 8},
}
BODIES = {
    "/v1/compare": {"measure": "users", "a": {"release": RELEASE.id}, "b": {"release": RELEASE.id, "topic": "t002"}},
    "/v1/search": {"release": RELEASE.id, "text": "python"},
    "/v1/queries": {"dataset": "chats", "epochs": ["2026-11"], "measure": "users", "dry_run": True},
    "/mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
}
DELIVERY = {
    "content": b'{"conversation_id": "c1", "user_id": "u1", "text": "hello"}',
    "headers": {"Content-Type": "application/x-ndjson", "Idempotency-Key": "8e1f4b0c-6d2a-4f5e"},
}


class Quoting:
    """Answers every question with a quote of nothing."""

    def ask(self, *_, **__):
        return Reply(outcome="quote", body=b'{"format":"sfumato.quote/1","quotes":[]}')


def routes_of(app):
    """Every route of an application, those of included routers too."""
    for route in app.routes:
        yield from route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else (route,)


def operations_of(route):
    """The operations that a route requires, in the order in which they are asked for."""
    asked = route.dependant.dependencies if hasattr(route, "dependant") else ()
    return [one.call.operation for one in asked if isinstance(one.call, Requires)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("data"), more=lambda made: the_rest(made.data, made.access, Quoting()))


def test_every_route_but_the_open_ones_requires_exactly_one_operation(site):
    """A route that somebody adds without one fails here."""
    required = {route.path: operations_of(route) for route in routes_of(site.app)}
    assert {path for path, operations in required.items() if not operations} == OPEN
    assert all(len(operations) == 1 for path, operations in required.items() if path not in OPEN)
    assert len(required) > len(OPEN) + 10


def test_the_operation_is_asked_for_before_anything_else_of_the_request_is_read(site):
    for route in routes_of(site.app):
        if route.path not in OPEN:
            assert isinstance(route.dependant.dependencies[0].call, Requires)


def test_a_route_that_requires_nothing_would_be_found(site):
    """The walk above sees routes of routers that are added."""
    from fastapi import APIRouter

    extra = APIRouter()
    extra.add_api_route("/v1/extra", lambda: None, methods=["GET"])
    app = build_app(ReleaseStore(site.data), site.access, {}, extras=[extra])
    assert [route.path for route in routes_of(app) if not operations_of(route)][-1] == "/v1/extra"


class Extra(BaseModel):
    """Something that a further router asks for."""

    inner: TopicSide


def test_a_further_router_has_its_key_checked_its_body_read_and_its_schema_declared(site):
    asked, reading = Body(Extra), Reading(store=ReleaseStore(site.data), access=site.access)
    router = reading.router("/v1/extra", "queries")

    def extra(
        question: Annotated[Extra, Depends(asked)],
        decision: Annotated[Decision, Depends(Requires(site.access, "queries"))],
    ) -> str:
        return f"{decision.principal.role} {question.inner.topic}"

    router.add_api_route("", extra, methods=["POST"], openapi_extra=asked.declared())
    client = inside(build_app(ReleaseStore(site.data), site.access, {}, extras=[router]))
    assert "TopicSide" in client.get("/openapi.json").json()["components"]["schemas"]
    body = {"inner": {"release": RELEASE.id, "topic": "t002"}}
    for role, status in (("analyst", 200), ("auditor", 403)):
        answer = client.post("/v1/extra", json=body, headers={"Authorization": f"Bearer {site.tokens[role]}"})
        assert answer.status_code == status
        assert (answer.json() == "analyst t002") == (status == 200)


def test_a_thousand_principals_get_what_the_matrix_says_and_no_more(site):
    """Random matrices of roles and operations, random roles, random addresses and methods; every answer is foretold."""
    drawn = random.Random(20)
    routes = [
        (route.path, method, operations_of(route)[0])
        for route in routes_of(site.app)
        if operations_of(route)
        for method in sorted({*route.methods, *(["HEAD"] if "GET" in route.methods else [])})
    ]
    issuer = ApiKeys.open(site.data)
    tokens = {role: issuer.issue(role) for role in ROLES}
    seen = set()
    for _ in range(20):
        matrix = {role: tuple(one for one in OPERATIONS if drawn.random() < 0.4) for role in ROLES}
        decided = Access(ApiKeys.read_only(site.data), Roles(**matrix))
        access = RecentDecisions(decided, file_stamp(site.data / "access.db"))
        rest = the_rest(site.data, access, Quoting())
        app = build_app(RecentReleases(ReleaseStore(site.data)), access, {}, budget=Book(), extras=rest)
        client = inside(app)
        for _ in range(50):
            role, (path, method, operation) = drawn.choice((*ROLES, None)), drawn.choice(routes)
            headers = {"Authorization": f"Bearer {tokens[role]}"} if role else {}
            headers |= {"Accept": "application/json"}
            sent = {"json": BODIES.get(path), "headers": headers}
            if path == "/v1/conversations":
                sent = {"content": DELIVERY["content"], "headers": headers | DELIVERY["headers"]}
            answer = client.request(method, path.format(**IDS), params=QUERIES.get(path), **sent)
            done = {"/v1/conversations": 202, "/mcp": 503}.get(path, 200)  # agents: there is nothing behind them here
            expected = 401 if role is None else done if operation in matrix[role] else 403
            assert answer.status_code == expected
            seen.add((path, 200 if expected == done else expected))
    assert {status for _, status in seen} == {200, 401, 403}
    assert {path for path, status in seen if status == 200} == {path for path, _, _ in routes}
