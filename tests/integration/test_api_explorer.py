"""What the page asks of the API besides: growth, tables, charges, the policy in plain words, what may be asked."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from api_clients import inside
from api_sites import LATER, RELEASE, Site
from live_queries import policy
from sfumato.policy.explain import Section
from sfumato.policy.schema import Access as Roles
from sfumato.serve import intervals, routes_policy, routes_queries
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.askable import askable
from sfumato.serve.reading import Reading
from sfumato.serve.store import ReleaseStore


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("data"), (RELEASE, LATER))


def test_growth_is_since_the_epoch_before_with_an_interval_by_fieller(site):
    said = site.get(f"/v1/releases/{LATER.id}/growth").json()
    assert (said["before"], said["epoch"]) == (RELEASE.id, "2025-06")
    changes = {one["topic"]: one for one in said["topics"]}
    assert set(changes) == {"t001", "t002"}  # t009 has no id of the epoch before: these ids are declared
    now, then = LATER.topics[0].users, RELEASE.topics[0].users
    assert changes["t001"]["change"]["value"] == pytest.approx(now.value / then.value - 1)
    assert changes["t001"]["change"]["low"] < changes["t001"]["change"]["value"] < changes["t001"]["change"]["high"]
    assert changes["t002"]["change"]["low"] < 0 < changes["t002"]["change"]["high"]


def test_the_first_epoch_has_no_growth(site):
    said = site.get(f"/v1/releases/{RELEASE.id}/growth").json()
    assert (said["before"], said["epoch"], said["topics"]) == (None, None, [])


def test_a_change_of_nothing_known_has_no_interval():
    near_zero = RELEASE.topics[0].users.__class__(value=3, low=0, high=12)
    assert intervals.change(RELEASE.topics[0].users, near_zero) is None


def test_a_trend_is_of_the_topic_in_the_release_that_is_named(site):
    base = "/v1/trends?dataset=assistant-logs"
    assert site.get(f"{base}&topic=t009&release={LATER.id}").json()["name"] == "Everyday life"
    assert site.get(f"{base}&topic=t009&release={RELEASE.id}").status_code == 404


def test_tables_hold_every_topic_and_parquet_holds_the_guarantee(site):
    at = f"/v1/releases/{RELEASE.id}/tables"
    rows = list(csv.DictReader(io.StringIO(site.get(f"{at}/topics.csv").text)))
    assert [row["id"] for row in rows] == [topic.id for topic in RELEASE.topics]
    table = pq.read_table(io.BytesIO(site.get(f"{at}/facets.parquet").content))
    assert b"differentially private" in table.schema.metadata[b"sfumato.guarantee"]
    assert table.num_rows > len(RELEASE.topics)
    assert site.get(f"{at}/topics.xlsx").status_code == 422
    assert site.get(f"{at}/topics.csv", "auditor").status_code == 403


def test_charges_are_read_page_by_page_by_who_may_read_the_ledger(site):
    first = site.get("/v1/budget/charges?limit=1", "auditor").json()
    assert ([one["purpose"] for one in first["charges"]], first["next"]) == (["release"], 2)
    second = site.get("/v1/budget/charges?limit=1&first=2", "auditor").json()
    assert ([one["analyst"] for one in second["charges"]], second["next"]) == (["a" * 16], None)
    assert site.get("/v1/budget/charges").status_code == 403


@pytest.fixture(scope="module")
def extended(site):
    """The application with a policy in plain words and a form for questions, but no worker."""
    access = Access(ApiKeys.read_only(site.data), Roles(analyst=("queries",), admin=("policy",)))
    reading = Reading(store=ReleaseStore(site.data), access=access)
    sections = (Section(title="What may be learned", lines=("A tree of topics.",)),)
    extras = [
        routes_policy.explaining(reading, lambda: ("ab" * 32, sections)),
        routes_queries.router(access, None, lambda: askable(policy())),
    ]
    client = inside(build_app(reading.store, access, {}, extras=extras))
    return lambda address, role: client.get(address, headers={"Authorization": f"Bearer {site.tokens[role]}"})


def test_the_policy_is_explained_to_who_may_read_it(extended):
    said = extended("/v1/policy/explanation", "admin").json()
    assert said == {
        "digest": "ab" * 32,
        "sections": [{"title": "What may be learned", "lines": ["A tree of topics."]}],
    }
    assert extended("/v1/policy/explanation", "analyst").status_code == 403


def test_what_may_be_asked_follows_from_the_policy_and_from_no_data(extended):
    said = extended("/v1/queries", "analyst").json()
    parts = {part["name"]: part for part in said["parts"]}
    assert (said["live"], said["measures"], said["epsilon"]) == (True, ["users", "conversations", "mean"], 0.2)
    assert parts["mood"] == {
        "name": "mood",
        "kind": "scale",
        "mean": True,
        "values": ["1", "2", "3", "4", "5", "unknown"],
    }
    assert parts["plan"]["values"] == ["free", "pro", "team", "unknown"]
    assert parts["topic"] == {"name": "topic", "kind": "topic", "mean": False, "values": None}
    assert "secret" not in json.dumps(said)
    assert extended("/v1/queries", "admin").status_code == 403


def test_a_policy_without_live_questions_offers_none():
    said = askable(policy(("live: true", "live: false")))
    assert (said.live, said.measures, said.parts) == (False, [], [])
