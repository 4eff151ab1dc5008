"""Who gets in: the key stays in memory, refusals are said in words, and the page does what its policy lets it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from explorer_sites import served
from page_injection import INJECTION, REFUSED
from releases import pin, sample, store_release
from sfumato.policy.schema import Access as Roles
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.store import ReleaseStore


def sign_in(page, url: str, key: str) -> None:
    page.goto(url)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Show releases").click()


def test_signing_in_says_what_people_ask_most_how_sure_that_is_and_what_is_promised(page, site):
    """The three things a newcomer is to know within a minute."""
    sign_in(page, site.url, site.keys["analyst"])
    opening = page.get_by_role("region", name="In short")
    expect(opening).to_contain_text("People ask most about Software development: 63% of users")
    expect(opening).to_contain_text("give or take")
    expect(opening).to_contain_text("shifts those odds by a factor of 4.4 at most")
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.faults == []


def test_a_wrong_key_is_refused_in_words_and_forgotten(page, site):
    for wrong in ("sfk_wrong", "schlüssel"):
        sign_in(page, site.url, wrong)
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        expect(page.get_by_label("API key")).to_have_value("")
    expect(page.get_by_role("tree")).to_have_count(0)


def test_a_role_that_may_not_read_releases_is_told_so_and_keeps_its_own_views(page, site):
    sign_in(page, site.url, site.keys["admin"])
    expect(page.get_by_role("alert")).to_contain_text("role may not read this")
    expect(page.get_by_role("link", name=re.compile("Topics"))).to_contain_text("not for this role")
    page.get_by_role("link", name="Policy").click()
    expect(page.get_by_role("heading", name="What may be learned")).to_be_visible()


def test_a_key_in_the_fragment_signs_in_and_leaves_the_address_at_once(page, site):
    page.goto(f"{site.url}#key={site.keys['analyst']}")
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.url == site.url
    assert page.evaluate("history.length") <= 2


def test_a_key_put_into_the_fragment_of_an_open_page_leaves_the_address_too(page, site):
    page.goto(site.url)
    page.evaluate("(key) => { location.hash = 'key=' + key }", site.keys["analyst"])
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.url == site.url


def test_the_key_is_kept_in_memory_only_and_signing_out_removes_what_was_shown(page, site, signed_in):
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert site.keys["analyst"] not in page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert "Debug Python" not in page.content()
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_server_gone_away_is_told(page, signed_in):
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    page.route(re.compile("/v1/"), lambda route: route.abort())
    page.get_by_role("combobox", name="Release").select_option(index=1)
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()


def test_what_is_on_its_way_is_said(page, signed_in):
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    page.route(re.compile("/v1/"), lambda _: None)  # never answered
    page.get_by_role("combobox", name="Release").select_option(index=1)
    expect(page.get_by_role("status")).to_contain_text("Loading the release")


def test_the_content_security_policy_is_in_force(page, site):
    """What an injection would try, tried with the browser's own means: each is refused and reported."""
    page.goto(site.url)
    assert page.evaluate(INJECTION) == REFUSED


def test_nothing_is_asked_of_any_other_host(page, site, signed_in):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    signed_in(page)
    for view in ("compare", "ask", "policy", "ledger", "audit", "topics"):
        page.evaluate("(view) => { location.hash = '#/' + view }", view)
        page.wait_for_timeout(150)
    assert asked
    assert {url.split("/", 3)[2] for url in asked if not url.startswith("data:")} == {site.url.split("/", 3)[2]}


@pytest.fixture
def lone(tmp_path):
    """Serves a directory of releases alone, and gives the address with a key."""

    def serve(*releases):
        pin(tmp_path)
        tmp_path.joinpath("releases").mkdir(exist_ok=True)
        for release in releases:
            store_release(tmp_path, release)
        key = ApiKeys.open(tmp_path).issue("analyst")
        access = Access(ApiKeys.read_only(tmp_path), Roles(analyst=("releases",)))
        return f"{served(build_app(ReleaseStore(tmp_path), access, {}))}#key={key}"

    return serve


def test_an_empty_store_says_what_will_come(page, lone):
    page.goto(lone())
    expect(page.get_by_role("heading", name="No release yet")).to_be_visible()
    assert page.faults == []


def test_a_release_without_topics_says_why(page, lone):
    page.goto(lone(sample(topics=())))
    expect(page.get_by_role("main")).to_contain_text("No topic had enough users")
    assert page.faults == []
