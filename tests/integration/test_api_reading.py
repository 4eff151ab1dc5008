"""Lists, breakdowns, trends, budgets: what they say, and that an answer from the cache is the same answer."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from fastapi import FastAPI, Response

from api_sites import HERE, LATER, RELEASE, Site, many_topics
from releases import sample, store_release
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.recent import RecentDecisions, RecentReleases, file_stamp
from sfumato.serve.store import ReleaseStore

VIEWS = ["/topics", "/topics/t002", "/guarantee", "/facets", "/facets/language", "/facets/language?topic=t002"]
TREND = "/v1/trends?dataset=assistant-logs&topic=t002"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """For tests that change nothing in it."""
    return Site(tmp_path_factory.mktemp("data"), (RELEASE, LATER))


@pytest.fixture
def own(tmp_path):
    """For a test that does."""
    return Site(tmp_path, (RELEASE, LATER))


def is_problem(answer, status: int) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}


def test_pages_of_releases_follow_each_other_without_gap_or_repetition(own):
    made = [sample(epoch=f"2024-{month:02}", created=f"2024-{month:02}-28T00:00:00Z") for month in range(1, 8)]
    made.append(sample(epoch="2023-07", created="2024-07-28T00:00:00Z"))
    for one in made:
        store_release(own.data, one)
    seen, cursor = [], None
    while True:
        address = "/v1/releases?limit=3" + (f"&cursor={cursor}" if cursor else "")
        page = own.get(address).json()
        seen += [one["id"] for one in page["releases"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["releases"]) == 3
    assert seen == [one["id"] for one in own.get("/v1/releases").json()["releases"]]
    assert len(seen) == len(set(seen)) == 10


def test_a_page_goes_on_where_it_ended_though_that_release_was_withdrawn_and_a_new_one_came(own):
    first = own.get("/v1/releases?limit=1").json()
    (own.data / "releases" / f"{LATER.id}.json").unlink()
    store_release(own.data, sample(epoch="2025-08", created="2025-09-01T00:00:00Z"))
    rest = own.get(f"/v1/releases?limit=1&cursor={first['next']}").json()
    assert [one["id"] for one in rest["releases"]] == [RELEASE.id]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("dataset=assistant-logs", 2),
        ("dataset=other", 0),
        ("epoch=2025-06", 1),
        ("dataset=assistant-logs&epoch=2025-07", 1),
        ("epoch=2025-05", 0),
    ],
)
def test_releases_are_filtered_by_dataset_and_epoch(site, query, found):
    assert len(site.get(f"/v1/releases?{query}").json()["releases"]) == found


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "/query/limit", "greater_than_equal"),
        ("limit=501", "/query/limit", "less_than_equal"),
        ("limit=x", "/query/limit", "int_parsing"),
        ("dataset=a%20b", "/query/dataset", "string_pattern_mismatch"),
        ("epoch=june", "/query/epoch", "string_pattern_mismatch"),
        ("cursor=!", "/query/cursor", "string_pattern_mismatch"),
        ("datset=assistant-logs", "/query", "extra_forbidden"),
        ("limit=1&limit=2", "/query", "given_twice"),
    ],
)
def test_a_filter_that_is_none_is_refused_by_place_and_rule(site, query, pointer, code):
    answer = site.get(f"/v1/releases?{query}")
    is_problem(answer, 422)
    assert answer.json()["errors"] == [{"pointer": pointer, "code": code}]


@pytest.mark.parametrize("cursor", ["AAAAAAAAAAAA", "MQoyMDI1LTA3LTAxVDA0OjAwOjAwWgp4", "-9-9-9-9-9"])
def test_a_cursor_that_is_none_of_ours_is_404(site, cursor):
    is_problem(site.get(f"/v1/releases?cursor={cursor}"), 404)


def test_the_facets_of_a_release_are_listed_with_how_far_they_reach(site):
    body = site.get(f"{HERE}/facets").json()
    assert body["facets"] == [{"name": "language", "values": 3, "topics": 7}]
    assert body["guarantee"]["epsilon"] == 1.482731


def test_a_breakdown_has_every_value_in_its_order_and_a_share_wherever_there_is_a_number(site):
    body = site.get(f"{HERE}/facets/language").json()
    assert [(one["value"], one["users"] and one["users"]["value"]) for one in body["values"]] == [
        ("en", 2700), ("de", 960), ("pt-BR", None),
    ]  # fmt: skip
    assert (body["topic"], body["whole"]["value"]) == (None, 4021)
    share = body["values"][0]["share"]
    assert share["value"] == pytest.approx(2700 / 4021)
    assert share["low"] < share["value"] < share["high"]
    assert share["high"] - share["low"] == pytest.approx(2 * np.hypot(15, 0.6715 * 14) / 4021, rel=0.05)
    assert body["values"][2] == {"value": "pt-BR", "users": None, "share": None}


def test_a_breakdown_of_a_topic_is_of_the_topic(site):
    body = site.get(f"{HERE}/facets/language?topic=t002").json()
    assert (body["topic"], body["whole"]["value"], body["values"][1]["users"]["value"]) == ("t002", 1210, 302)
    assert body["values"][1]["share"]["value"] == pytest.approx(302 / 1210)


@pytest.mark.parametrize("rest", ["/facets/colour", "/facets/language?topic=t999", "/facets/language?topic=t007"])
def test_a_breakdown_that_was_not_made_is_404(site, rest):
    is_problem(site.get(f"{HERE}{rest}"), 404)


def test_a_trend_follows_declared_topics_by_id_oldest_first(site):
    body = site.get(TREND).json()
    assert (body["matching"], body["releases"], body["name"]) == ("id", 2, "Debug Python code")
    assert [(one["epoch"], one["users"]["value"], one["matched"]) for one in body["points"]] == [
        ("2025-06", 1210, "id"), ("2025-07", 1204, "id"),
    ]  # fmt: skip
    assert all(one["guarantee"]["unit"] == "user" for one in body["points"])


def test_a_trend_of_a_topic_or_dataset_that_is_not_there_is_404(site):
    is_problem(site.get("/v1/trends?dataset=assistant-logs&topic=t999"), 404)
    is_problem(site.get("/v1/trends?dataset=other&topic=t002"), 404)


def test_the_budget_is_shown_to_those_who_may_see_the_ledger(site):
    address = "/v1/budget?dataset=assistant-logs&epoch=2025-06"
    body = site.get(address, "auditor").json()
    assert body["epoch"] == {
        "allowed": {"rho": 0.1, "delta": 1e-7, "epsilon": 2.0},
        "spent": {"rho": 0.05, "delta": 5e-8, "epsilon": 1.4},
        "left": {"rho": 0.05, "delta": 5e-8, "epsilon": 1.4},
    }
    is_problem(site.get(address, "analyst"), 403)
    is_problem(site.get("/v1/budget?dataset=other&epoch=2025-06", "auditor"), 404)


def test_without_a_ledger_there_is_no_budget(tmp_path):
    is_problem(Site(tmp_path, budget=None).get("/v1/budget?dataset=a&epoch=2025-06", "auditor"), 404)


@pytest.mark.parametrize("address", ["", *VIEWS])
def test_a_view_of_a_release_is_confirmed_to_who_holds_it(site, address):
    answer = site.get(HERE + address)
    etag = answer.headers["etag"]
    assert answer.headers["cache-control"] == ("private, no-cache" if address else "private, immutable")
    assert answer.headers["vary"] == "Authorization"
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        confirmed = site.get(HERE + address, **{"If-None-Match": held})
        assert (confirmed.status_code, confirmed.content, confirmed.headers["etag"]) == (304, b"", etag)
    assert site.get(HERE + address, **{"If-None-Match": etag[:-2] + '"'}).status_code == 200


def test_different_views_have_different_tags(site):
    tags = [site.get(HERE + address).headers["etag"] for address in ["", *VIEWS]]
    assert len(set(tags)) == len(tags)


def test_a_trend_has_another_tag_once_another_release_is_there(own):
    etag = own.get(TREND).headers["etag"]
    assert own.get(TREND, **{"If-None-Match": etag}).status_code == 304
    store_release(own.data, sample(epoch="2025-08", created="2025-09-01T00:00:00Z"))
    assert own.get(TREND, **{"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "address", ["/healthz", "/", "/v1/releases", HERE, f"{HERE}/topics", "/v1/nothing", "/v1/policy"]
)
def test_head_is_get_without_its_body(site, address):
    got, head = site.get(address), site.ask("HEAD", address)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert dict(head.headers) == dict(got.headers)


def test_a_refused_method_names_those_that_are_taken(site):
    assert site.ask("PUT", HERE).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/v1/compare", "/v1/search"])
def test_a_question_takes_no_other_method(site, path):
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        answer = site.ask(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def quick(tmp_path, clock):
    """A site as it is wired: what was read a moment ago is not read again; and one that reads everything anew."""
    slow = Site(tmp_path, (RELEASE, LATER))
    decisions = RecentDecisions(slow.access, file_stamp(tmp_path / "access.db"), now=clock)
    return Site(tmp_path, (), store=RecentReleases(ReleaseStore(tmp_path), now=clock), access=decisions), slow


@pytest.mark.parametrize("address", ["", *VIEWS])
@pytest.mark.parametrize("held", [None, "*", '"other"'])
def test_the_fast_answer_is_the_routes_answer_to_the_byte(quick, address, held):
    fast, slow = quick
    sent = {"If-None-Match": held} if held else {}
    for _ in range(2):
        answers = [site.get(HERE + address, **sent) for site in (slow, fast, fast)]
        assert len({(one.status_code, one.content) for one in answers}) == 1
        assert [sorted(one.headers.items()) for one in answers[1:]] == [sorted(answers[0].headers.items())] * 2


@pytest.mark.parametrize("role", [None, "admin", "auditor", "ingester"])
def test_a_page_that_is_held_for_one_key_is_not_given_to_another(quick, role):
    fast, _ = quick
    for _ in range(2):
        assert fast.get(f"{HERE}/topics").status_code == 200
        is_problem(fast.get(f"{HERE}/topics", role), 403 if role else 401)


def test_a_key_revoked_is_refused_at_once_though_its_pages_are_held(quick):
    fast, _ = quick
    for _ in range(3):
        assert fast.get(f"{HERE}/topics").status_code == 200
    ApiKeys.open(fast.data).revoke(fast.tokens["analyst"].split("_")[1])
    is_problem(fast.get(f"{HERE}/topics"), 401)


def test_a_release_that_is_withdrawn_is_gone_a_second_later(quick, clock):
    fast, _ = quick
    assert fast.get(f"{HERE}/topics").status_code == 200
    (fast.data / "releases" / f"{RELEASE.id}.json").unlink()
    clock.time += 1.0
    assert fast.get(f"/v1/releases/{LATER.id}/topics").status_code == 200  # the decision is at hand again
    is_problem(fast.get(f"{HERE}/topics"), 404)


def test_three_thousand_topics_are_served_in_fifty_milliseconds_after_the_first_time(tmp_path):
    large = many_topics(3000)
    site = Site(tmp_path, (large,))
    address = f"/v1/releases/{large.id}/topics"
    assert len(site.get(address).json()["topics"]) == 3000
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        assert site.get(address).status_code == 200
        spent.append(time.perf_counter() - began)
    assert min(spent) < 0.05


async def calls(app, address: str, headers, times: int) -> float:
    """Seconds that so many requests take, without a client's own work."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": address,
        "raw_path": address.encode(), "query_string": b"", "headers": headers, "scheme": "http",
        "server": ("here", 80), "client": ("there", 1), "root_path": "",
    }  # fmt: skip
    statuses = set()

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        statuses.add(message.get("status", 200))

    began = time.perf_counter()
    for _ in range(times):
        await app(dict(scope), receive, send)
    assert statuses == {200}
    return time.perf_counter() - began


def test_a_cached_read_is_no_slower_than_a_bare_route_of_the_same_bytes(quick):
    """Who asks, whether they may, whether the release is still there: all of it within 1/0.6 of a route without any."""
    fast, _ = quick
    address = f"{HERE}/topics"
    body = fast.get(address).content
    bare = FastAPI()

    @bare.get("/bytes")
    async def same() -> Response:
        return Response(body, media_type="application/json")

    key = [(b"authorization", f"Bearer {fast.tokens['analyst']}".encode())]
    spent = [
        (asyncio.run(calls(fast.app, address, key, 200)), asyncio.run(calls(bare, "/bytes", [], 200))) for _ in range(5)
    ]
    assert min(ours for ours, _ in spent) * 0.6 <= min(theirs for _, theirs in spent)


def test_a_layer_sees_every_answer_and_the_decision_behind_it(quick, tmp_path):
    """Whoever records answers stands around the routes and the fast way alike."""
    fast, _ = quick
    seen = []

    class Recording:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)
            decision = scope["state"].get("decision")
            seen.append((scope["method"], decision and decision.reason))

    site = Site(tmp_path, (), store=RecentReleases(ReleaseStore(tmp_path)), layers=[Recording],
                access=RecentDecisions(fast.access, file_stamp(tmp_path / "access.db")))  # fmt: skip
    for role in ("analyst", "analyst", "admin", None):
        site.get(f"{HERE}/topics", role)
    site.ask("HEAD", f"{HERE}/topics/t002")
    assert seen == [
        ("GET", "granted"), ("GET", "granted"), ("GET", "role_lacks_operation"), ("GET", "no_key"), ("HEAD", "granted"),
    ]  # fmt: skip
