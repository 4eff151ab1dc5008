"""The OpenAPI document is true, by schemathesis; and no answer repeats any part of its request."""

from __future__ import annotations

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode

from api_clients import inside
from api_sites import LATER, RELEASE, Desk, Site, the_rest
from live_queries import DATASET, EPOCH, desk, extracts, policy, publish
from sfumato.serve.body import BODY_BYTES
from sfumato.serve.observe import Observed

WELL_FORMED = {
    "release_id": (r"rel_[0-9a-f]{20}", RELEASE.id),
    "release": (r"rel_[0-9a-f]{20}", RELEASE.id),
    "topic_id": (r"[A-Za-z0-9_.-]{1,64}", "t002"),
    "topic": (r"[A-Za-z0-9_.-]{1,64}", "t002"),
    "dataset": (r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "assistant-logs"),
    "epoch": (r"[0-9]{4}(-[0-9]{2}|-[0-9]{2}-[0-9]{2}|-W[0-9]{2}|-Q[1-4])?", "2025-06"),
    "name": (r"[^/]{1,64}", "language"),
    "facet": (r"(?s).{1,64}", "language"),
    "value": (r"(?s).{1,64}", "de"),
}
ASKED = {"measure": "users", "of": None, "by": ["plan"], "level": 0, "where": [{"field": "mood", "in": ["1", "2"]}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole application, with a desk of live questions behind it that has plenty to spend."""
    loaded = policy(("_query: 0.2", "_query: 0.01"), ("{epsilon: 1.0}", "{epsilon: 3.9}"))
    apart = tmp_path_factory.mktemp("live")
    publish(apart, loaded, extracts(120, 2))
    with desk(apart, loaded) as (opened, _):
        made = Site(
            tmp_path_factory.mktemp("data"),
            (RELEASE, LATER),
            more=lambda made: the_rest(made.data, made.access, Desk(opened)),
        )
        made.client = inside(Observed(made.app))  # its requests are logged
        yield made


@pytest.fixture(scope="module")
def schema(site):
    checks = {"negative_data_rejection": {"expected-statuses": REFUSED}, "ignored_auth": {"enabled": False}}
    return schemathesis.openapi.from_asgi(
        "/openapi.json", site.app, config=schemathesis.Config.from_dict({"checks": checks})
    )


@schemathesis.serializer("application/x-ndjson")
def lines(_context: object, value: object) -> bytes:
    """A delivery as it is sent: a string of lines; what is none can't be sent."""
    assume(isinstance(value, str))
    return str(value).encode("utf-8", "replace")


def answerable(value: dict[str, object]) -> dict[str, object]:
    """A well-formed question turned into one that there is an answer to."""
    known = {**ASKED, "dataset": DATASET, "epochs": [EPOCH], "release": None}
    of = "mood" if value["measure"] == "mean" else None
    return {name: known.get(name, one) for name, one in value.items()} | {"of": of}


def existing(value: object, name: str = "") -> object:
    """The same input with every well-formed name replaced by one that exists, so that answers are reached."""
    if isinstance(value, dict):
        return {key: existing(one, key) for key, one in value.items()}
    if isinstance(value, str) and name in WELL_FORMED and re.fullmatch(WELL_FORMED[name][0], value):
        return WELL_FORMED[name][1]
    return value


OPERATIONS = [
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/v1/releases"), ("GET", "/v1/releases/{release_id}"),
    ("GET", "/v1/releases/{release_id}/topics"), ("GET", "/v1/releases/{release_id}/topics/{topic_id}"),
    ("GET", "/v1/releases/{release_id}/guarantee"), ("GET", "/v1/releases/{release_id}/facets"),
    ("GET", "/v1/releases/{release_id}/facets/{name}"), ("POST", "/v1/compare"), ("POST", "/v1/search"),
    ("GET", "/v1/trends"), ("GET", "/v1/policy"), ("GET", "/v1/budget"), ("GET", "/v1/budget/charges"),
    ("GET", "/v1/releases/{release_id}/growth"), ("GET", "/v1/releases/{release_id}/tables/{file}"),
    ("GET", "/v1/policy/explanation"), ("GET", "/v1/queries"), ("POST", "/v1/queries"),
    ("POST", "/v1/conversations"), ("GET", "/v1/audit/events"), ("GET", "/v1/audit/head"),
    ("GET", "/v1/audit/checkpoints"), ("GET", "/v1/audit/checkpoint"), ("GET", "/v1/audit/proofs/inclusion"),
    ("GET", "/v1/audit/proofs/consistency"),
]  # fmt: skip
NOTHING_TO_GET_WRONG = {"/healthz", "/readyz"}
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
EXAMPLES = settings(
    max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
ROLE = {"/v1/policy": "admin", "/v1/policy/explanation": "admin", "/v1/conversations": "ingester"}
ROLE |= dict.fromkeys(("/v1/budget", "/v1/budget/charges"), "auditor")
ROLE |= {path: "auditor" for _, path in OPERATIONS if path.startswith("/v1/audit/")}


def test_these_are_all_the_operations(site):
    paths = site.client.get("/openapi.json").json()["paths"]
    assert {(method.upper(), path) for path, item in paths.items() for method in item} == set(OPERATIONS)


@pytest.mark.parametrize("real", [False, True], ids=["any names", "names that exist"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_every_answer_is_as_declared(site, schema, method, path, mode, real):
    """No server error; no status, header, content type or body undeclared; bad input is refused, good accepted."""
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and path in NOTHING_TO_GET_WRONG:
        pytest.skip("it takes no input")
    headers = {"Authorization": f"Bearer {site.tokens[ROLE.get(path, 'analyst')]}"}
    statuses = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(EXAMPLES)
    def run(case):
        if real:
            case.path_parameters = existing(case.path_parameters)
            case.query = existing(case.query)
            case.body = existing(case.body)
        if path == "/v1/conversations" and mode is GenerationMode.POSITIVE:  # any string is a body, and few are lines
            case.body = '{"conversation_id": "c1", "user_id": "u1", "text": "hello"}'
        if real and mode is GenerationMode.POSITIVE:
            case.query = QUERIES[path] if "/proofs/" in path else case.query
            case.body = answerable(case.body) if (method, path) == ("POST", "/v1/queries") else case.body
        statuses.add(case.call_and_validate(headers=headers).status_code)

    run()
    if real and mode is GenerationMode.POSITIVE:
        assert statuses & {200, 202, 304}


CANARY = "canary7391"
HEADERS = (
    "If-None-Match", "Idempotency-Key", "Accept", "Content-Type", "Cookie", "Origin", "X-Request-Id",
    "X-Forwarded-Host",
)  # fmt: skip
IDS = {"release_id": RELEASE.id, "topic_id": "t002", "name": "language", "file": "topics.csv"}
BODIES = {
    "/v1/compare": {"measure": "share", "a": {"release": RELEASE.id, "topic": "t002"},
                    "b": {"release": RELEASE.id, "facet": "language", "value": "de"}},
    "/v1/search": {"release": RELEASE.id, "text": "python", "limit": 5},
    "/v1/queries": {"dataset": DATASET, "epochs": [EPOCH], **ASKED, "dry_run": True},
}  # fmt: skip
QUERIES = {
    "/v1/releases": {"dataset": "assistant-logs", "epoch": "2025-06", "limit": "5", "cursor": "MQoyMDI1"},
    "/v1/releases/{release_id}/facets/{name}": {"topic": "t002"},
    "/v1/trends": {"dataset": "assistant-logs", "topic": "t002", "release": RELEASE.id},
    "/v1/budget": {"dataset": "assistant-logs", "epoch": "2025-06"},
    "/v1/budget/charges": {"first": "1", "limit": "5"},
    "/v1/conversations": {"dataset": "assistant-logs"},
    "/v1/audit/events": {"first": "0", "limit": "3"},
    "/v1/audit/proofs/inclusion": {"seq": "3", "size": "8"},
    "/v1/audit/proofs/consistency": {"old": "3", "new": "8"},
}


def places(value: object, at: tuple[object, ...] = ()):
    """Every place in a JSON value: its leaves, and one more key in each of its objects."""
    if not isinstance(value, dict):
        yield at
        return
    yield (*at, CANARY)
    for key, one in value.items():
        yield from places(one, (*at, key))


def planted(value: dict[str, object], at: tuple[object, ...]) -> dict[str, object]:
    """The value with a canary at that place."""
    head, *rest = at
    return {**value, head: planted(value[head], tuple(rest)) if rest else CANARY}


def poisoned(path: str):
    """Requests to an address, each with a canary in one place of its input: (address, query, body, headers)."""
    whole, query, body = path.format(**IDS), QUERIES.get(path, {}), BODIES.get(path)
    for name in IDS:
        if f"{{{name}}}" in path:
            yield path.format(**{**IDS, name: CANARY}), query, body, {}
            yield path.format(**{**IDS, name: f"{CANARY}%20%00"}), query, body, {}
    for name in [*query, CANARY]:
        yield whole, {**query, name: CANARY}, body, {}
        yield whole, {**query, name: f"{CANARY} \n"}, body, {}
    for name in (
        "If-None-Match",
        "Idempotency-Key",
        "Accept",
        "Content-Type",
        "Cookie",
        "Origin",
        "X-Request-Id",
        "X-Forwarded-Host",
    ):
        yield whole, query, body, {name: CANARY}
    yield whole, query, body, {"If-None-Match": CANARY * 200}
    for at in places(body) if body else ():
        yield whole, query, planted(body, at), {}


def ours(caplog):
    """What the server logged: the test's own client logs the addresses it asks."""
    return "".join(caplog.handler.format(record) for record in caplog.records if record.name.startswith("sfumato"))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_no_answer_repeats_what_was_put_into_any_place_of_the_request(site, caplog, method, path):
    """Neither body nor header, nor the log, whatever the status."""
    caplog.set_level("DEBUG", "sfumato")
    role = ROLE.get(path, "analyst")
    for verb in (method, "HEAD", "PATCH"):
        for address, query, body, headers in poisoned(path):
            sent = {"Content-Type": "application/json", **headers}
            content = json.dumps(body) if body else f'{{"{CANARY}": 1}}'
            answer = site.ask(verb, address, role, params=query, content=content, headers=sent)
            assert answer.status_code < 500
            assert CANARY not in answer.text + str(answer.headers)
    assert "answered" in ours(caplog) or path in NOTHING_TO_GET_WRONG
    assert CANARY not in ours(caplog)


def test_a_key_that_nobody_has_is_not_repeated_either(site, caplog):
    caplog.set_level("DEBUG", "sfumato")
    for sent in (f"Bearer {CANARY}", CANARY, f"Basic {CANARY}", f"Bearer sfk_{'0' * 16}_{CANARY:A<43}"):
        answer = site.client.get("/v1/releases", headers={"Authorization": sent})
        assert answer.status_code == 401
        assert CANARY not in answer.text + str(answer.headers) + ours(caplog)


@pytest.mark.parametrize("path", list(BODIES))
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'"' + CANARY.encode() + b'"',
        b'{"text": "\\ud800"}',
        b"[" * 9000,
        b"9" * 9000,
    ],
    ids=["nothing", "cut off", "a list", "null", "no UTF-8", "a string", "half a character", "deep", "a long number"],
)
def test_a_body_that_is_no_question_is_422(site, path, content):
    answer = site.ask("POST", path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert CANARY not in answer.text
    assert {one["pointer"] for one in answer.json()["errors"]} <= {
        "/body", "/body/text", "/body/release", "/body/dataset", "/body/epochs", "/body/measure"
    }  # fmt: skip


@pytest.mark.parametrize("path", list(BODIES))
def test_a_body_is_read_as_json_only_and_not_beyond_its_limit(site, path):
    """415 and 413 have the shape of every other refusal; a length that is only claimed is believed."""
    body = json.dumps(BODIES[path])
    for kind in ("text/plain", "application/x-www-form-urlencoded", CANARY):
        refused = site.ask("POST", path, content=body, headers={"Content-Type": kind})
        assert (refused.status_code, refused.json()["status"]) == (415, 415)
    padded = {"Content-Type": "application/json"}
    for content in (body + " " * BODY_BYTES, iter([body.encode(), b" " * BODY_BYTES])):
        refused = site.ask("POST", path, content=content, headers=padded)
        assert (refused.status_code, refused.json()["status"], refused.json()["errors"]) == (413, 413, [])
    assert site.ask("POST", path, content=body, headers={"Content-Type": "application/json; charset=utf-8"}).is_success


@pytest.mark.parametrize("path", list(BODIES))
def test_a_stranger_learns_nothing_about_the_form_of_a_question(site, path):
    answer = site.ask("POST", path, None, content=b"{", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 401
