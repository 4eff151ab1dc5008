"""Questions in a body: comparisons of released numbers, and searches in released words."""

from __future__ import annotations

import numpy as np
import pytest

from api_sites import LATER, RELEASE, Site
from releases import guarantee, sample, store_release


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("data"), (RELEASE, LATER))


def is_problem(answer, status: int) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}


SAME = {"release": RELEASE.id}
ENGLISH, GERMAN = ({**SAME, "facet": "language", "value": value} for value in ("en", "de"))
NONE = "no difference that the noise allows"


@pytest.mark.parametrize(
    ("measure", "a", "b", "value", "verdict"),
    [
        ("users", {**SAME, "topic": "t002"}, {**SAME, "topic": "t003"}, 555, "a is larger"),
        ("users", {**SAME, "topic": "t003"}, {**SAME, "topic": "t002"}, -555, "b is larger"),
        ("users", {**SAME, "topic": "t002"}, {"release": LATER.id, "topic": "t002"}, 6, NONE),
        ("users", {**SAME, "topic": "t001"}, {"release": LATER.id, "topic": "t001"}, -460, "b is larger"),
        ("users", SAME, SAME, 0, NONE),
        ("users", ENGLISH, GERMAN, 1740, "a is larger"),
        ("conversations", {**SAME, "topic": "t002"}, {**SAME, "topic": "t003"}, 1665, "a is larger"),
    ],
)  # fmt: skip
def test_a_comparison_says_what_the_noise_allows(site, measure, a, b, value, verdict):
    body = site.post("/v1/compare", {"measure": measure, "a": a, "b": b}).json()
    assert (body["difference"]["value"], body["verdict"], body["measure"]) == (value, verdict, measure)
    assert body["difference"]["low"] <= value <= body["difference"]["high"]
    assert body["a"]["guarantee"] == body["b"]["guarantee"] == {
        "mode": "formal", "unit": "user", "epsilon": 1.482731, "delta": 1e-7,
    }  # fmt: skip


def test_shares_of_two_epochs_are_compared_though_the_epochs_differ_in_size(site):
    a, b = ({"release": one.id, "topic": "t001"} for one in (RELEASE, LATER))
    body = site.post("/v1/compare", {"measure": "share", "a": a, "b": b}).json()
    assert body["difference"]["value"] == pytest.approx(2140 / 4021 - 2600 / 4100)
    assert body["verdict"] == "b is larger"
    assert body["a"]["number"]["low"] < 2140 / 4021 < body["a"]["number"]["high"]


def test_a_share_of_a_topic_and_the_share_that_the_topic_is_get_the_wider_interval(site):
    """The topic's number makes the one larger and the other smaller, so their errors may add up in full."""
    topic = {**SAME, "topic": "t002"}
    body = site.post("/v1/compare", {"measure": "share", "a": {**topic, **GERMAN}, "b": topic}).json()
    a, b, apart = body["a"]["number"], body["b"]["number"], body["difference"]
    assert apart["value"] - apart["low"] == pytest.approx(a["value"] - a["low"] + b["high"] - b["value"])
    alone = site.post("/v1/compare", {"measure": "share", "a": GERMAN, "b": topic}).json()
    a, apart = alone["a"]["number"], alone["difference"]
    assert apart["value"] - apart["low"] == pytest.approx(np.hypot(a["value"] - a["low"], b["high"] - b["value"]))


@pytest.mark.parametrize("measure", ["users", "share"])
def test_what_is_under_the_threshold_is_not_compared_and_not_told(site, measure):
    hidden = {**SAME, "facet": "language", "value": "pt-BR"}
    shown = {**SAME, "facet": "language", "value": "de"}
    body = site.post("/v1/compare", {"measure": measure, "a": hidden, "b": shown}).json()
    assert (body["verdict"], body["difference"], body["a"]["number"]) == ("can't be compared: suppressed", None, None)
    assert body["b"]["number"] is not None


@pytest.mark.parametrize(
    "b",
    [
        {"release": "rel_" + "0" * 20},
        {**SAME, "topic": "t999"},
        {**SAME, "facet": "colour", "value": "red"},
        {**SAME, "facet": "language", "value": "xx"},
        {**SAME, "topic": "t007", "facet": "language", "value": "de"},
    ],
)
def test_a_side_that_is_not_there_is_404(site, b):
    is_problem(site.post("/v1/compare", {"measure": "users", "a": SAME, "b": b}), 404)


@pytest.mark.parametrize(
    "question",
    [
        {"measure": "users", "a": SAME},
        {"measure": "mean", "a": SAME, "b": SAME},
        {"measure": "conversations", "a": SAME, "b": {**SAME, "facet": "language", "value": "de"}},
        {"measure": "share", "a": SAME, "b": {**SAME, "topic": "t002"}},
        {"measure": "users", "a": SAME, "b": {**SAME, "facet": "language"}},
        {"measure": "users", "a": SAME, "b": {**SAME, "value": "de"}},
        {"measure": "users", "a": SAME, "b": {**SAME, "topic": None}},
        {"measure": "users", "a": SAME, "b": {**SAME, "epoch": "2025-06"}},
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_by_place_and_rule(site, question):
    answer = site.post("/v1/compare", question)
    is_problem(answer, 422)
    steps = {step for one in answer.json()["errors"] for step in one["pointer"].split("/")[1:]}
    assert "body" in steps
    assert steps <= {"body", "measure", "a", "b", "release", "topic", "facet", "value"}


def test_people_are_not_compared_with_conversations(site):
    other = sample(guarantee=guarantee(unit="conversation"), epoch="2025-09")
    store_release(site.data, other)
    answer = site.post("/v1/compare", {"measure": "users", "a": SAME, "b": {"release": other.id}})
    is_problem(answer, 422)
    assert answer.json()["errors"] == [{"pointer": "/body/b/release", "code": "another_unit"}]


def test_a_search_finds_topics_by_their_released_words(site):
    body = site.post("/v1/search", {"release": RELEASE.id, "text": "PYTHON debuging", "limit": 2}).json()
    assert body["matching"] == "lexical"
    assert [one["topic"] for one in body["topics"]] == ["t002"]
    assert body["topics"][0]["users"]["value"] == 1210
    assert "text" not in body


def test_a_search_by_meaning_finds_what_shares_no_word(tmp_path):
    """The vectors come from a port; the topics of a release are embedded once, a query each time."""
    asked = []

    def embed(texts):
        asked.append(len(texts))
        return np.asarray([[1.0, 0.1] if "trip" in text or "holiday" in text else [0.0, 1.0] for text in texts])

    site = Site(tmp_path, search=embed)
    for _ in range(2):
        body = site.post("/v1/search", {"release": RELEASE.id, "text": "holiday", "limit": 5}).json()
        assert (body["matching"], body["topics"][0]["topic"], body["topics"][0]["where"]) == (
            "semantic",
            "t006",
            "meaning",
        )
        assert len(body["topics"]) == 1
    assert asked == [8, 1, 1]


def test_a_search_whose_vectors_fail_is_a_failure_and_not_a_poorer_answer(tmp_path, caplog):
    def embed(texts):
        raise ValueError(texts[0])

    answer = Site(tmp_path, search=embed).post("/v1/search", {"release": RELEASE.id, "text": "canary7391"})
    is_problem(answer, 500)
    assert "canary7391" not in caplog.text


@pytest.mark.parametrize("text", ["", "x" * 201, 7, None, ["python"]])
def test_a_search_without_a_short_text_is_refused(site, text):
    is_problem(site.post("/v1/search", {"release": RELEASE.id, "text": text}), 422)


def test_a_search_for_nothing_that_is_a_word_finds_nothing(site):
    assert site.post("/v1/search", {"release": RELEASE.id, "text": "?! …"}).json()["topics"] == []


def test_a_release_without_topics_has_views_and_answers_all_the_same(tmp_path):
    bare = sample(topics=())
    site = Site(tmp_path, (bare,), search=lambda texts: np.ones((len(texts), 2)))
    assert site.get(f"/v1/releases/{bare.id}/topics").json()["topics"] == []
    assert site.get(f"/v1/releases/{bare.id}/facets").json()["facets"][0]["topics"] == 0
    assert site.post("/v1/search", {"release": bare.id, "text": "python"}).json()["topics"] == []
