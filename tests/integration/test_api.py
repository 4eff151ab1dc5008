"""The REST interface: who gets what, that no answer repeats its input, and that the process can open nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from api_clients import inside
from api_sites import HERE, RELEASE, ROLES, Site
from releases import guarantee, sample, store_release
from sfumato.errors import SfumatoError, StorageError
from sfumato.model.signature import verify
from sfumato.model.strict_json import loads
from sfumato.policy.schema import Access as Roles
from sfumato.serve import problems, wire
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.server import serve

PRIVATE = ("vault", "extract", "ingest", "embed", "topics", "privacy", "gate", "gateway", "wiring", "evaluate", "cli")
CANARY = "canary7391"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """For tests that change nothing in it."""
    return Site(tmp_path_factory.mktemp("data"))


@pytest.fixture
def own(tmp_path):
    """For a test that does."""
    return Site(tmp_path)


def is_problem(answer, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = problems.Problem.model_validate_json(answer.content)
    assert (body.status, body.type) == (status, "about:blank")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}
    assert "Traceback" not in answer.text


DATA_ROUTES = ["/v1/releases", HERE, f"{HERE}/topics", f"{HERE}/topics/t002", f"{HERE}/guarantee"]


@pytest.mark.parametrize("address", [*DATA_ROUTES, "/v1/policy"])
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer nonsense", "Basic c2ZrOng=", "Bearer sfk_" + "0" * 16 + "_" + "A" * 43, "sfk_x"],
)
def test_without_a_valid_key_every_data_route_answers_401(site, address, authorization):
    answer = site.client.get(address, headers={"Authorization": authorization} if authorization is not None else {})
    is_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_refused_key_gets_the_same_answer_whatever_the_reason(own):
    ApiKeys.open(own.data).revoke(own.tokens["analyst"].split("_")[1])
    assert own.get("/v1/releases").content == own.get("/v1/releases", role=None).content


@pytest.mark.parametrize("address", DATA_ROUTES)
@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_a_role_that_may_not_read_releases_gets_403(site, address, role):
    is_problem(site.get(address, role), 403)


def test_only_a_role_with_the_operation_policy_reads_the_policy(site):
    assert site.get("/v1/policy", "admin").json() == {"unit": "user"}
    is_problem(site.get("/v1/policy", "analyst"), 403)


def test_a_valid_key_is_checked_before_the_address_is(site):
    is_problem(site.get("/v1/releases/not-an-id", role=None), 401)


def test_the_list_is_newest_first_and_names_the_guarantee(own):
    newer = sample(created="2025-08-01T04:00:00Z", epoch="2025-07", guarantee=guarantee(mode="guarded"))
    store_release(own.data, newer)
    first, second = own.get("/v1/releases").json()["releases"]
    assert (first["id"], first["mode"], second["id"]) == (newer.id, "guarded", RELEASE.id)
    assert {key: second[key] for key in ("epsilon", "delta", "unit", "topics", "epoch", "dataset")} == {
        "epsilon": 1.482731, "delta": 1e-7, "unit": "user", "topics": 8,
        "epoch": "2025-06", "dataset": "assistant-logs",
    }  # fmt: skip


def test_the_document_is_served_as_it_was_signed(site):
    answer = site.get(HERE)
    assert answer.content == (site.data / "releases" / f"{RELEASE.id}.json").read_bytes()
    verify(loads(answer.content), None)
    assert answer.headers["etag"] == f'"{RELEASE.id}"'
    assert answer.headers["cache-control"] == "private, immutable"


def test_a_copy_that_is_held_already_is_not_sent_again(site):
    answer = site.get(HERE, **{"If-None-Match": f'"{RELEASE.id}"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert site.get(HERE, **{"If-None-Match": '"rel_other"'}).status_code == 200


def test_a_copy_is_not_confirmed_to_a_stranger(site):
    is_problem(site.get(HERE, role=None, **{"If-None-Match": f'"{RELEASE.id}"'}), 401)


def test_the_tree_nests_every_topic_once_and_sorts_by_users(site):
    body = site.get(f"{HERE}/topics").json()

    def walk(branches: list[dict]) -> list[str]:
        users = [branch["users"]["value"] for branch in branches]
        assert users == sorted(users, reverse=True)
        return [name for branch in branches for name in (branch["id"], *walk(branch["children"]))]

    assert sorted(walk(body["topics"])) == [topic.id for topic in RELEASE.topics]
    assert [branch["id"] for branch in body["topics"][0]["children"]] == ["t002", "t003", "t004"]


def test_one_topic_comes_with_phrases_facets_and_the_guarantee(site):
    body = site.get(f"{HERE}/topics/t004").json()
    assert body["topic"]["phrases"] == [{"text": "shell", "users": None}]
    assert body["topic"]["facets"]["language"][2] == {"value": "pt-BR", "users": None}
    assert body["guarantee"] == {"mode": "formal", "unit": "user", "epsilon": 1.482731, "delta": 1e-7}


def test_the_guarantee_is_the_documents(site):
    assert site.get(f"{HERE}/guarantee").json()["guarantee"] == site.get(HERE).json()["guarantee"]


@pytest.mark.parametrize(
    "address", ["/v1/releases/rel_" + "0" * 20, f"{HERE}/topics/t999", "/v1/nothing", "/docs", "/redoc", "/favicon.ico"]
)
def test_what_does_not_exist_is_404(site, address):
    is_problem(site.get(address), 404)


@pytest.mark.parametrize("address", [f"/v1/releases/{CANARY}", f"{HERE}/topics/{CANARY}%20x", f"{HERE}/topics/%00"])
def test_an_ill_formed_id_is_422_and_names_place_and_rule_only(site, address):
    answer = site.get(address)
    is_problem(answer, 422)
    (complaint,) = answer.json()["errors"]
    assert complaint["code"] == "string_pattern_mismatch"
    assert re.fullmatch("/path/(release_id|topic_id)", complaint["pointer"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("address", ["/v1/releases", HERE, "/healthz", "/"])
def test_nothing_can_be_written(site, method, address):
    answer = site.client.request(method, address, headers={"Authorization": f"Bearer {site.tokens['analyst']}"})
    is_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("role", ["analyst", "auditor", None])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_refusal_repeats_its_input(site, role, method):
    headers = {"X-Note": CANARY, "If-None-Match": CANARY * 200}
    if role:
        headers["Authorization"] = f"Bearer {site.tokens[role]}"
    for address in (f"/v1/releases/{CANARY}", f"{HERE}/topics/{CANARY}", f"/{CANARY}?q={CANARY}", f"{HERE}?{CANARY}=1"):
        answer = site.client.request(method, address, headers=headers, content=f'{{"{CANARY}": 1}}')
        assert answer.status_code >= 400
        assert CANARY not in answer.text + str(answer.headers)


def test_a_tampered_release_is_not_served(own):
    path = own.data / "releases" / f"{RELEASE.id}.json"
    path.write_bytes(path.read_bytes().replace(b"Plan a trip", b"Plan a trap"))
    is_problem(own.get(HERE), 404)
    assert own.get("/v1/releases").json() == {"releases": [], "next": None}


def test_readiness_ends_when_keys_or_releases_cannot_be_read(own):
    assert own.get("/readyz", role=None).json() == {"status": "ok"}
    (own.data / "release_key.pub").write_text("junk")
    is_problem(own.get("/readyz", role=None), 503)
    is_problem(own.get("/v1/releases"), 503)
    assert own.get("/healthz", role=None).status_code == 200


def test_keys_that_cannot_be_read_deny(own):
    (own.data / "access.db").write_bytes(b"broken" * 1000)
    is_problem(own.get("/v1/releases"), 503)


class Failing:
    """A store whose failure holds something that must not get out."""

    def releases(self):
        raise RuntimeError(CANARY)

    def get(self, release_id):
        raise StorageError("the releases can't be read")


def test_a_failure_of_ours_is_500_without_its_message_in_answer_or_log(own, caplog):
    app = build_app(Failing(), Access(ApiKeys.read_only(own.data), Roles(**ROLES)), {})
    own.client = inside(app)
    is_problem(own.get("/v1/releases"), 500)
    is_problem(own.get(HERE), 503)
    assert CANARY not in caplog.text
    assert "RuntimeError at " in caplog.text


NAMESPACES = {f"http://www.w3.org/{name}" for name in ("2000/svg", "1999/xhtml", "1999/xlink", "2000/xmlns/")} | {
    "http://www.w3.org/1998/Math/MathML", "http://www.w3.org/XML/1998/namespace",
}  # fmt: skip
ANSWERS = [
    "/",
    "/app.js",
    "/healthz",
    "/openapi.json",
    "/v1/releases",
    HERE,
    "/nothing",
    "/v1/releases/x",
    "/v1/policy",
]


@pytest.mark.parametrize("address", ANSWERS)
def test_every_answer_carries_the_security_headers(site, address):
    headers = site.get(address).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
        "img-src": "'self' data:", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in headers
    assert "access-control-allow-origin" not in headers


def test_the_page_loads_nothing_from_elsewhere_and_has_nothing_inline(site):
    html = site.get("/", role=None).text.replace("xmlns='http://www.w3.org/2000/svg'", "")
    assert not re.search(r"https?://|<style|style=|\son\w+=|<script(?![^>]*\bsrc=)", html)
    script, style = (site.get(name, role=None).text for name in ("/app.js", "/style.css"))
    assert not re.search(r"outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|import\(", script)
    assert set(re.findall(r"https?://[^\s\"'`)]+", script)) <= NAMESPACES
    assert not re.search(r"url\(|@import|https?:", style)


def test_the_source_of_the_page_never_makes_markup_of_text():
    """What the framework could do for it, the policy's `trusted-types 'none'` forbids besides."""
    for file in Path(__file__).parents[2].joinpath("explorer", "src").rglob("*.ts*"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", file.read_text()), file


def test_the_openapi_document_declares_every_status_that_occurs(site):
    operations = site.client.get("/openapi.json").json()["paths"]
    release, topic = "/v1/releases/{release_id}", "/v1/releases/{release_id}/topics/{topic_id}"
    seen = {
        ("/v1/releases", 200): site.get("/v1/releases"),
        ("/v1/releases", 401): site.get("/v1/releases", role=None),
        ("/v1/releases", 403): site.get("/v1/releases", "admin"),
        (release, 200): site.get(HERE),
        (release, 304): site.get(HERE, **{"If-None-Match": f'"{RELEASE.id}"'}),
        (release, 404): site.get("/v1/releases/rel_" + "0" * 20),
        (release, 422): site.get("/v1/releases/x"),
        (topic, 404): site.get(f"{HERE}/topics/t999"),
        ("/healthz", 200): site.get("/healthz"),
    }
    for (path, status), answer in seen.items():
        declared = operations[path]["get"]["responses"][str(status)]
        assert answer.status_code == status
        assert list(declared.get("content", {})) == ([answer.headers["content-type"]] if answer.content else [])
    assert set(operations["/healthz"]["get"]["responses"]) == {"200"}


def test_every_reference_in_the_openapi_document_leads_somewhere(site):
    document = site.client.get("/openapi.json").json()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in references


def test_the_declared_shapes_are_those_of_the_answers(site):
    shapes = [wire.SummariesShape, wire.ReleaseShape, wire.TreeShape, wire.OneTopicShape, wire.CardShape]
    for address, shape in zip(DATA_ROUTES, shapes, strict=True):
        shape.model_validate_json(site.get(address).content, strict=True)


def test_the_serving_process_loads_no_private_module():
    program = "import sfumato.serve.api, sfumato.serve.server, sfumato.serve.store, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()
    private = [f"sfumato.{name}" for name in PRIVATE] + ["sfumato.model.conversation", "sfumato.model.extract"]
    assert "sfumato.serve.api" in loaded
    assert not [name for name in loaded if any(name == one or name.startswith(one + ".") for one in private)]
    assert not {"opendp", "torch", "numpy", "pyarrow", "sentence_transformers"} & set(loaded)


PROGRAM = textwrap.dedent("""
    import sys, pathlib
    from sfumato.policy.schema import Access as Roles
    from sfumato.serve.access import Access
    from sfumato.serve.api import build_app
    from sfumato.serve.api_keys import ApiKeys
    from sfumato.serve.server import serve
    from sfumato.serve.store import ReleaseStore
    data = pathlib.Path(sys.argv[1])
    app = build_app(ReleaseStore(data), Access(ApiKeys.read_only(data), Roles(analyst=("releases",))), {})
    serve(app, port=0, ready=lambda url: print(url, flush=True))
    print("stopped", flush=True)
""")


@contextmanager
def running(data: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_server_listens_on_this_machine_only_and_stops_in_order(own, stop):
    with running(own.data) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url + "healthz") as answer:  # noqa: S310 - our own server
            assert json.load(answer) == {"status": "ok"}
            assert "server" not in answer.headers
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}v1/releases?q={CANARY}")  # noqa: S310
        refused.value.close()
        os.kill(process.pid, stop)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "stopped\n")
        assert CANARY not in err
        assert "Traceback" not in err


def test_a_port_in_use_is_one_line_of_ours(site):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StorageError, match="in use") as caught:
        serve(site.app, port=taken.getsockname()[1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "why"), [("203.0.113.7", 8470, "travel in clear"), ("127.0.0.1", 70000, "not to be had")]
)
def test_an_address_that_is_not_ours_is_one_line_of_ours(site, host, port, why):
    with pytest.raises(SfumatoError, match=why) as caught:
        serve(site.app, host=host, port=port)
    assert "\n" not in str(caught.value)


def test_a_release_with_hundreds_of_topics_is_served_whole(own):
    many = tuple(replace(RELEASE.topics[1], id=f"x{number:04}", parent=None, level=0) for number in range(700))
    large = sample(topics=many)
    store_release(own.data, large)
    assert len(own.get(f"/v1/releases/{large.id}").json()["topics"]) == 700
    assert len(own.get(f"/v1/releases/{large.id}/topics").json()["topics"]) == 700
