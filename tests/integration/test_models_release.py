"""A model in every role, as a user would have it: what is asked, what is released, and where it says who took part."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from api_clients import inside
from gateways import asking, gateway, guarded_policy, modelled_policy, quiet, stats, write_corpus
from sfumato.cli.render import render_card, render_tree
from sfumato.model import document, signature
from sfumato.model.layout import Layout
from sfumato.model.release import Release
from sfumato.policy.schema import Access as Roles
from sfumato.policy.schema import Policy
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.store import ReleaseStore
from sfumato.standin.server import running

SAID = ("sourdough", "tax", "python", "visa", "marathon")
USED = [("extraction", "claude-haiku-4-5"), ("naming", "claude-sonnet-4-5"), ("auditor", "claude-opus-4-5")]


class Made:
    """One run of 300 users with the stand-in as every model: the document, the release, and what was asked."""

    def __init__(self, folder: Path, loaded: Policy) -> None:
        self.data = folder / "data"
        corpus = write_corpus(folder / "chats.jsonl", users=300, each=1)
        with running() as url, gateway(self.data, policy=loaded, models=asking(loaded, url)) as opened:
            opened.ingest(str(corpus), advance=quiet)
            opened.extract(advance=quiet)
            self.extraction = stats(url)
            self.document: dict[str, Any] = json.loads(opened.release())
            self.asked = stats(url)
            self.host = url.removeprefix("http://")
        self.release: Release = document.decode(self.document)

    def drawn(self) -> str:
        sink = io.StringIO()
        console = Console(file=sink, width=160)
        console.print(render_tree(self.release))
        console.print(render_card(self.release))
        return sink.getvalue()

    def served(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The list of releases and the whole document, as the interface gives them."""
        key = ApiKeys.open(self.data).issue("analyst")
        access = Access(ApiKeys.read_only(self.data), Roles(analyst=("releases",)))
        client = inside(build_app(ReleaseStore(self.data), access, {}))
        said = {"Authorization": f"Bearer {key}"}
        (first,) = client.get("/v1/releases", headers=said).json()["releases"]
        return first, client.get(f"/v1/releases/{first['id']}", headers=said).json()


@pytest.fixture(scope="module")
def formal(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("formal"), modelled_policy())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("guarded"), guarded_policy())


@pytest.fixture(params=["formal", "guarded"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def test_one_call_for_each_conversation_and_few_for_names_and_the_audit(made: Made) -> None:
    assert made.extraction["calls"] == made.extraction["answered"] == 300
    assert 5 < made.asked["calls"] - 300 < 60
    assert made.asked["failures"] == {}
    assert made.asked["schemas_the_api_refuses"] == 0


def test_the_release_lists_every_model_with_its_role_and_host(made: Made) -> None:
    signature.verify(made.document, None)
    assert [(use.role, use.model) for use in made.release.models] == USED
    assert {use.host for use in made.release.models} == {made.host}
    assert all(f"{name} at {made.host}" in made.drawn() for _, name in USED)
    assert made.served()[1]["models"] == made.document["models"]


def test_topics_are_what_people_wrote_about_named_by_the_model(made: Made) -> None:
    names = [topic.name for topic in made.release.topics]
    assert len(names) >= 2
    assert all(name.startswith("Ask about ") for name in names)
    assert any(word in name for name in names for word in SAID)
    assert "detectors and model" in made.release.audit[0].rule


def test_nothing_sealed_is_left_after_the_release_not_even_what_was_paid_for(made: Made) -> None:
    assert not list(Layout(data=made.data).keystore.glob("*.key"))
    assert not [path for path in made.data.rglob("*") if path.suffix in {".seg", ".drv", ".jnl", ".tmp"}]


def test_guarded_mode_says_so_in_the_document_the_terminal_and_the_interface(guarded: Made, formal: Made) -> None:
    assert guarded.document["guarantee"]["mode"] == "guarded"
    assert any("private summaries" in line for line in guarded.document["guarantee"]["does_not_cover"])
    assert guarded.drawn().count("guarded") >= 2
    listed, whole = guarded.served()
    assert listed["mode"] == whole["guarantee"]["mode"] == "guarded"
    assert formal.document["guarantee"]["mode"] == "formal"
    assert "guarded" not in formal.drawn()


def test_in_guarded_mode_only_counts_are_measured_and_no_phrase_is_released(guarded: Made) -> None:
    assert not [one for one in guarded.release.guarantee.mechanisms if "vocabulary" in one.name]
    assert not [phrase for topic in guarded.release.topics for phrase in topic.phrases]
    assert "phrases_per_user" not in guarded.release.guarantee.bounds


def test_only_what_the_screener_lets_through_is_in_topics_and_both_sides_are_counted(tmp_path: Path) -> None:
    screened = modelled_policy(("facets:", 'screen: {ask: "Is it about bread or a visa?"}\nfacets:'))
    made = Made(tmp_path, screened)
    assert made.extraction["calls"] == 300 + 120
    sides = {one.value: one.users for one in made.release.facets["screened"]}
    assert sides["in"] is not None
    assert sides["out"] is not None
    assert abs(sides["in"].value - 120) < 40
    assert abs(sides["out"].value - 180) < 40
    said = {word for topic in made.release.topics for phrase in topic.phrases for word in phrase.text.split()}
    assert said & {"bread", "visa"}
    assert not said & {"tax", "python", "marathon"}
