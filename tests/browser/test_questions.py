"""Compare and ask: differences that the noise allows or not, a price before a question, the same bytes after it."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from explorer_sites import BEFORE, EPOCH, NEWEST


def compare_at(**params: str) -> str:
    return "#/compare?" + "&".join(f"{name}={quote(value)}" for name, value in params.items())


@pytest.mark.parametrize(
    ("params", "verdict"),
    [
        ({"a": "t002", "b": "t003"}, "Debug Python code is larger than Write SQL queries."),
        ({"a": "t003", "b": "t003", "br": BEFORE.id}, "No difference that the noise allows."),
        ({"a": "t002", "b": "t002", "af": "language:en", "bf": "language:de", "measure": "share"}, "English is larger"),
    ],
    ids=["topics", "epochs", "groups"],
)
def test_a_comparison_says_in_plain_words_what_the_noise_allows(page, signed_in, params, verdict):
    signed_in(page, at=compare_at(release=NEWEST.id, **params))
    expect(page.locator(".verdict")).to_contain_text(verdict)
    expect(page.locator(".difference")).to_contain_text("95 % interval")
    assert page.faults == []


def test_a_comparison_is_put_together_from_a_topic_by_search(page, signed_in):
    signed_in(page)
    page.get_by_role("treeitem", name="Plan a trip").click()
    page.get_by_role("button", name="Compare with").click()
    second = page.get_by_role("group", name="Second")
    second.get_by_role("combobox", name="Search topics").fill("sql")
    page.get_by_role("option", name="Write SQL queries").click()
    expect(page.locator(".verdict")).to_contain_text("Plan a trip is larger than Write SQL queries.")
    page.go_back()
    expect(page.locator(".verdict")).not_to_contain_text("SQL")


def ask_at(site, **question: object) -> str:
    asked = {"epochs": [EPOCH], "measure": "users", "by": [], "where": [], "level": 0, **question}
    return f"#/ask?release={site.live.id}&q={quote(json.dumps(asked))}"


def test_a_question_shows_its_price_and_noise_runs_and_gives_the_same_bytes_again(page, site, signed_in):
    signed_in(page, at=ask_at(site, by=["plan"]))
    page.get_by_role("button", name="What would it cost?").click()
    offer = page.get_by_role("region", name="Quote")
    expect(offer).to_contain_text("ε 0.2")
    expect(offer).to_contain_text("in 95 of 100 answers")
    expect(offer).to_contain_text("questions")
    page.get_by_role("button", name="Ask, for ε 0.2").click()
    answer = page.locator("#answer")
    expect(answer.get_by_role("table", name="users by plan")).to_contain_text("free")
    expect(answer).to_contain_text("Paid once: ε 0.2")
    page.get_by_role("button", name="Ask the same again").click()
    expect(answer).to_contain_text("at no cost")
    expect(answer).to_contain_text("The same 4,096 bytes")
    page.get_by_role("button", name="What would it cost?").click()
    expect(offer).to_contain_text("it was answered before")
    assert page.faults == []


def test_what_is_spent_is_said_before_and_when_asking(page, site, signed_in):
    """The key's own share pays for two questions; what was answered stays free."""
    signed_in(page, at=ask_at(site))
    for measure in ("How many users", "How many conversations", "The mean of"):
        page.get_by_label(measure).check()
        page.get_by_role("button", name="What would it cost?").click()
        expect(page.get_by_role("region", name="Quote")).to_be_visible()
        button = page.get_by_role("button", name="Ask, for ε 0.2")
        if button.count() == 0:
            break
        button.click()
        expect(page.locator("#answer")).to_be_visible()
    expect(page.locator(".quote .notice")).to_contain_text("does not pay for this question")


def test_a_role_without_questions_is_told(page, signed_in):
    signed_in(page, "auditor", at="#/ask")
    expect(page.get_by_role("alert")).to_contain_text("role may not read this")
