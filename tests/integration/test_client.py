"""The client against the real application: the blocking one and the awaited one ask the same and hear the same."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest

from api_clients import PIN, Both, awaiting, blocking, listening
from api_sites import LATER, RELEASE, Site
from live_queries import DATASET, EPOCH, asking, desk, extracts, policy, publish
from releases import sample
from sfumato import Client
from sfumato.client.failures import Forbidden, NotFound, Spent, Unauthorized, Unavailable
from sfumato.client.findings import Side
from sfumato.errors import BudgetExhausted, InputError, KeyMissing, Refused
from sfumato.model.question import Number
from sfumato.model.release import Estimate
from sfumato.policy.schema import Access as Roles
from sfumato.serve import routes_queries
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.query import Reply
from sfumato.serve.store import ReleaseStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "client.py"
KINDS = pytest.mark.parametrize("kind", ["blocking", "awaited"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("data"), (RELEASE, LATER))


@pytest.fixture(params=["blocking", "awaited"])
def client(site, request):
    return Both(request.param, site.app, site.tokens["analyst"], release_key=PIN)


def test_releases_are_listed_newest_first_and_by_epoch(client):
    assert [one.id for one in client.do("releases")] == [LATER.id, RELEASE.id]
    assert [one.epoch for one in client.do("releases", epoch="2025-06")] == ["2025-06"]
    assert client.do("releases", dataset="nothing") == []


@KINDS
def test_a_list_of_many_pages_is_one_iterator(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("sfumato.client.calls.PAGE", "2")
    made = [sample(epoch=f"2025-{month:02}", created=f"2025-{month:02}-28T00:00:00Z") for month in range(1, 8)]
    many = Site(tmp_path, tuple(made))
    found = Both(kind, many.app, many.tokens["analyst"]).do("releases")
    assert [one.id for one in found] == [one.id for one in reversed(made)]


def test_a_release_is_the_release_and_all_that_is_cut_from_it_agrees_with_the_server(client, site):
    found = client.do("release", RELEASE.id)
    assert found.release == RELEASE
    assert found.pinned
    assert found.body == site.get(f"/v1/releases/{RELEASE.id}").content

    def shape(branch):
        one = branch.topic
        numbers = {name: dataclasses.asdict(getattr(one, name)) for name in ("users", "conversations")}
        return {
            "id": one.id,
            "level": one.level,
            "name": one.name,
            **numbers,
            "children": [*map(shape, branch.children)],
        }

    tree = client.do("tree", RELEASE.id)
    assert [shape(one) for one in tree.branches] == site.get(f"/v1/releases/{RELEASE.id}/topics").json()["topics"]
    assert client.do("topic", RELEASE.id, "t002").topic == RELEASE.topics[1]
    assert client.do("guarantee", RELEASE.id).guarantee == RELEASE.guarantee
    assert [one.topic.id for one in tree.under("t005")] == ["t006", "t007", "t008"]
    with pytest.raises(InputError, match="no topic"):
        client.do("topic", RELEASE.id, "t999")


def test_a_breakdown_a_comparison_a_search_and_a_trend_are_read_as_they_were_sent(client):
    parts = client.do("breakdown", RELEASE.id, "language", topic="t002")
    assert parts.values[0].users == Estimate(value=806, low=792, high=820)
    assert parts.values[2] == dataclasses.replace(parts.values[2], users=None, share=None)
    assert "withheld" in repr(parts)
    a, b = (Side(release=one.id, topic="t002") for one in (RELEASE, LATER))
    found = client.do("compare", "users", a, b)
    assert (found.a, found.difference.value) == (Number(value=1210.0, low=1201.0, high=1219.0), 6.0)
    assert found.verdict == "no difference that the noise allows"
    hidden = Side(release=RELEASE.id, facet="language", value="pt-BR")
    assert client.do("compare", "share", hidden, a).difference is None
    assert [one.topic for one in client.do("search", RELEASE.id, "python", limit=1).topics] == ["t002"]
    points = client.do("trend", "assistant-logs", "t002").points
    assert [(one.epoch, one.users.value) for one in points] == [("2025-06", 1210), ("2025-07", 1204)]


@KINDS
def test_each_key_reads_what_its_role_may(site, kind):
    assert Both(kind, site.app, site.tokens["admin"]).do("policy") == {"unit": "user"}
    found = Both(kind, site.app, site.tokens["auditor"]).do("budget", "assistant-logs", "2025-06")
    assert (found.epoch.allowed.rho, found.year.left.epsilon) == (0.1, 1.4)
    assert found.to_arrow().num_rows == 6
    with pytest.raises(Forbidden) as caught:
        Both(kind, site.app, site.tokens["analyst"]).do("budget", "assistant-logs", "2025-06")
    assert isinstance(caught.value, Refused)
    with pytest.raises(Unauthorized) as caught:
        Both(kind, site.app, "sfk_" + "x" * 40).do("release", RELEASE.id)
    assert isinstance(caught.value, KeyMissing)
    with pytest.raises(NotFound):
        Both(kind, site.app, site.tokens["analyst"]).do("release", "rel_" + "0" * 20)


def test_every_table_goes_to_arrow_with_all_its_columns(site):
    client = blocking(site.app, site.tokens["analyst"])
    for table in (
        client.release(RELEASE.id), client.tree(RELEASE.id), client.topic(RELEASE.id, "t002"),
        client.guarantee(RELEASE.id), client.breakdown(RELEASE.id, "language"), client.search(RELEASE.id, "sql"),
        client.trend("assistant-logs", "t002"), client.compare("users", *[Side(release=RELEASE.id)] * 2),
    ):  # fmt: skip
        found = table.to_arrow()
        assert found.column_names == list(table.columns)
        assert found.num_rows == len(list(table.rows())) > 0
        assert len(repr(table).splitlines()) > 1


def test_over_a_real_socket_both_clients_work_and_a_server_that_is_gone_is_said_so(site, monkeypatch):
    with listening(site.app) as url:
        with Client(url, key=site.tokens["analyst"], release_key=PIN) as client:
            assert client.release(RELEASE.id) is client.release(RELEASE.id)

        async def both_at_once():
            async with awaiting(site.app, site.tokens["analyst"]) as inside:
                return await asyncio.gather(*[inside.tree(one.id) for one in (RELEASE, LATER)])

        assert [one.release for one in asyncio.run(both_at_once())] == [RELEASE.id, LATER.id]
    monkeypatch.setattr("sfumato.client.drivers.time.sleep", lambda _seconds: None)
    with (
        Client(url, key=site.tokens["analyst"]) as client,
        pytest.raises(Exception, match="can't be reached") as caught,
    ):
        client.release(RELEASE.id)
    assert type(caught.value).__name__ == "Unreachable"


def test_the_example_is_a_tour_that_runs(site, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("example_client", EXAMPLE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    with listening(site.app) as url:
        monkeypatch.setenv("SFUMATO_API_KEY", site.tokens["analyst"])
        monkeypatch.setattr(sys, "argv", ["client.py", url, PIN])
        loaded.main()
    shown = capsys.readouterr().out
    assert "signed by the expected key" in shown
    assert "no difference" in shown or "larger" in shown
    assert site.tokens["analyst"] not in shown


class Direct:
    """A desk of this process in the place of the worker's socket."""

    def __init__(self, opened) -> None:
        self._desk = opened

    def ask(self, ask, *, analyst, role):
        found = self._desk.reply(ask, analyst=analyst, role=role)
        return Reply(outcome=found.outcome, body=found.body)


def live(data, asker):
    keys = ApiKeys.open(data)
    access = Access(ApiKeys.read_only(data), Roles(analyst=("releases", "queries")))
    app = build_app(ReleaseStore(data), access, {}, extras=[routes_queries.router(access, asker)])
    return app, keys.issue("analyst")


@KINDS
def test_a_question_is_quoted_asked_charged_once_and_refused_when_the_budget_is_spent(tmp_path, kind):
    small = policy(("per_analyst: {epsilon: 1.0}", "per_analyst: {epsilon: 0.2}"))
    publish(tmp_path, small, extracts(400, 3))
    with desk(tmp_path, small) as (opened, ledger):
        client = Both(kind, *live(tmp_path, Direct(opened)))
        asked = {"dataset": DATASET, "epochs": [EPOCH], "measure": "users", "by": ["plan"]}
        quote = client.do("quote", asked)
        assert quote.allowed
        assert quote.rho > 0
        assert quote.prices[0].questions_left == 1
        answer = client.do("ask", asking(by=("plan",)))
        assert client.do("ask", asked) == answer
        assert len([one for one in ledger.entries() if one.purpose == "queries"]) == 1
        assert client.do("quote", asked).rho == 0.0
        assert {cell.at for cell in answer.parts[0].cells} == {("free",), ("pro",), ("team",), ("unknown",)}
        assert answer.to_arrow().column("number_low").null_count < 4
        assert answer.parts[0].guarantee["unit"] == "user"
        with pytest.raises(Spent) as caught:
            client.do("ask", {**asked, "by": ["mood"]})
        assert isinstance(caught.value, BudgetExhausted)
        assert (caught.value.questions_left, caught.value.next_epoch) == (0, "2026-12")
        withheld = client.do("ask", {**asked, "by": ["secret"]})
        assert withheld.parts[0].outcome == "withheld"


def test_without_a_worker_a_question_is_unavailable_at_once(tmp_path):
    publish(tmp_path, policy(), extracts(40, 1))
    with pytest.raises(Unavailable, match="Live queries are not running"):
        blocking(*live(tmp_path, None)).ask(asking())
