"""The page in a real browser: sign in, walk the tree by keyboard, read topic and card; markup stays text, CSP holds."""

from __future__ import annotations

import queue
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from releases import MARKUP, guarantee, pin, sample, store_release
from sfumato.policy.schema import Access as Roles
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.server import serve
from sfumato.serve.store import ReleaseStore

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium")


class Site:
    """A running server over one data directory, with a key that may read and one that may not."""

    def __init__(self, data: Path) -> None:
        pin(data)
        data.joinpath("releases").mkdir()
        keys = ApiKeys.open(data)
        self.data = data
        self.analyst, self.auditor = keys.issue("analyst"), keys.issue("auditor")
        access = Access(ApiKeys.read_only(data), Roles(analyst=("releases",), auditor=("audit",)))
        bound: queue.Queue[str] = queue.Queue()
        app = build_app(ReleaseStore(data), access, {})
        threading.Thread(target=serve, args=(app,), kwargs={"port": 0, "ready": bound.put}, daemon=True).start()
        self.url = bound.get(timeout=20)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("data"))
    store_release(site.data, sample())
    older = sample(created="2025-05-01T00:00:00Z", epoch="2025-04", guarantee=guarantee(mode="guarded"))
    store_release(site.data, older)
    return site


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("dialog", lambda dialog: (page.faults.append("a dialog opened"), dialog.dismiss()))
    yield page
    context.close()


def sign_in(page, site: Site, token: str | None = None) -> None:
    page.goto(site.url)
    page.get_by_label("API key").fill(token or site.analyst)
    page.get_by_role("button", name="Show releases").click()


def signed_in(page, site: Site) -> None:
    sign_in(page, site)
    expect(page.get_by_role("tree")).to_be_visible()


def focused(page) -> str:
    return page.evaluate("document.activeElement.querySelector(':scope > .row > .name')?.textContent ?? ''")


def test_signing_in_shows_the_newest_release_without_any_fault(page, site):
    signed_in(page, site)
    expect(page.locator("#summary")).to_contain_text("4,021")
    expect(page.locator("#summary")).to_contain_text("1.483")
    expect(page.locator("#releases option")).to_have_count(2)
    assert page.faults == []


def test_a_wrong_key_is_refused_in_words_and_forgotten(page, site):
    sign_in(page, site, "sfk_wrong")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    expect(page.get_by_label("API key")).to_have_value("")
    expect(page.get_by_role("tree")).to_have_count(0)


def test_a_key_of_the_wrong_role_is_told_why(page, site):
    sign_in(page, site, site.auditor)
    expect(page.get_by_role("alert")).to_contain_text("role may not read releases")


def test_a_key_in_the_fragment_signs_in_and_leaves_the_address_at_once(page, site):
    page.goto(f"{site.url}#key={site.analyst}")
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.url == site.url
    assert page.evaluate("history.length") <= 2


def test_a_key_put_into_the_fragment_of_an_open_page_leaves_the_address_too(page, site):
    page.goto(site.url)
    page.evaluate("(key) => { location.hash = 'key=' + key }", site.analyst)
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.url == site.url


def test_the_key_is_kept_in_memory_only(page, site):
    signed_in(page, site)
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]
    assert site.analyst not in page.content()
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_signing_out_removes_what_was_shown(page, site):
    signed_in(page, site)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert "Debug Python" not in page.content()


def test_the_tree_is_walked_by_keyboard_alone(page, site):
    signed_in(page, site)
    page.locator("[role=treeitem][tabindex='0']").focus()
    walked = {
        "Debug Python code": ["ArrowDown"],
        "Write SQL queries": ["ArrowDown"],
        "Software development": ["ArrowLeft", "ArrowLeft"],
        "Everyday life": ["ArrowDown"],
        "Schreiben auf Deutsch üben": ["End"],
        "Plan a trip": ["p"],
        "Explain shell commands": ["Home", "ArrowRight", "ArrowRight", "e"],
    }
    for name, keys in walked.items():
        for key in keys:
            page.keyboard.press(key)
        assert focused(page) == name
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("Explain shell commands")
    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    assert page.faults == []


def test_exactly_one_tree_item_is_in_the_tab_order_also_after_collapsing(page, site):
    signed_in(page, site)
    page.get_by_role("treeitem", name="Plan a trip").click()
    page.get_by_role("button", name="Collapse all").click()
    item = page.locator("[role=treeitem][tabindex='0']")
    expect(item).to_have_count(1)
    expect(item).to_be_visible()
    expect(page.get_by_role("treeitem", name="Plan a trip")).to_be_hidden()


def test_a_topic_shows_description_intervals_phrases_facets_and_what_is_withheld(page, site):
    signed_in(page, site)
    page.get_by_role("treeitem", name="Debug Python code").click()
    detail = page.locator("#detail")
    for part in ("People ask for help", "1,210", "1,201 to 1,219", "3,589 to 3,671", "python", "288 to 316"):
        expect(detail).to_contain_text(part)
    expect(detail.get_by_role("row", name="pt-BR")).to_contain_text("fewer than the threshold, not shown")


def test_the_card_shows_unit_epsilon_relation_bounds_promises_and_every_mechanism(page, site):
    signed_in(page, site)
    card = page.locator("#card")
    for part in (
        "Formal", "user", "1.483", "10⁻⁷", "add or remove one user", "topics per user: at most 5",
        "which topics exist", "what a group of more than one user", "vocabulary", "56%", "sha256:5f5f",
    ):  # fmt: skip
        expect(card).to_contain_text(part)
    expect(card.locator("tbody tr")).to_have_count(3)
    expect(page.locator(".guarded")).to_have_count(0)


def test_the_topic_panel_does_not_lie_over_the_card_when_one_jumps_to_it(page, site):
    page.set_viewport_size({"width": 1280, "height": 700})
    signed_in(page, site)
    page.get_by_text("What is guaranteed").click()
    page.wait_for_timeout(200)
    detail, card = (page.locator(name).bounding_box() for name in ("#detail", "#card"))
    assert detail["y"] + detail["height"] <= card["y"]


def test_a_guarded_release_wears_a_badge(page, site):
    signed_in(page, site)
    page.get_by_role("combobox", name="Release").select_option(index=1)
    expect(page.locator("#summary .guarded")).to_be_visible()
    expect(page.locator("#card .guarded")).to_be_visible()


def test_markup_in_a_released_name_is_shown_as_text(page, site):
    signed_in(page, site)
    item = page.locator("[data-topic=t007]")
    expect(item.locator(".name")).to_have_text(MARKUP)
    item.click()
    expect(page.locator("#detail h2")).to_have_text(MARKUP)
    assert page.locator("main img, main b").count() == 0
    assert page.faults == []


def test_the_content_security_policy_is_in_force(page, site):
    """What an injection would try, tried with the browser's own means: each is refused and reported."""
    page.goto(site.url)
    refused = page.evaluate("""async () => {
        const seen = [];
        document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
        const add = (tag, change) => {
            const node = document.createElement(tag);
            change(node);
            document.body.append(node);
        };
        add("script", (node) => { node.textContent = "window.ran = true"; });
        add("style", (node) => { node.textContent = "body { display: none }"; });
        add("img", (node) => { node.src = "http://127.0.0.2:9/x.png"; });
        add("iframe", (node) => { node.src = "http://127.0.0.2:9/"; });
        await fetch("http://127.0.0.2:9/").catch(() => null);
        await new Promise((done) => setTimeout(done, 300));
        return [seen.map((one) => one.replace(/-(elem|attr)$/, "")).sort(), window.ran ?? null];
    }""")
    assert refused == [["connect-src", "frame-src", "img-src", "script-src", "style-src"], None]


def test_an_empty_store_says_what_will_come(page, tmp_path):
    sign_in(page, Site(tmp_path))
    expect(page.get_by_role("status").first).to_contain_text("No release yet")
    assert page.faults == []


def test_a_release_without_topics_says_why(page, tmp_path):
    site = Site(tmp_path)
    store_release(site.data, sample(topics=()))
    sign_in(page, site)
    expect(page.locator("#topics")).to_contain_text("no topic had enough users")


def test_a_server_gone_away_is_told(page, site):
    signed_in(page, site)
    page.route(re.compile("/v1/"), lambda route: route.abort())
    page.get_by_role("combobox", name="Release").select_option(index=1)
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_cut_off_at_any_width_in_either_scheme(browser, site, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    signed_in(page, site)
    page.get_by_role("treeitem", name="Debug Python code").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert contrast(page, "body") > 7
    assert min(contrast(page, place) for place in (".quiet", ".badge", ".number", ".covers li", "#detail h3")) > 4.5
    context.close()


def contrast(page, selector: str) -> float:
    """WCAG 2 contrast of the first such element against the nearest painted background."""
    return page.evaluate(
        """(selector) => {
        const node = [...document.querySelectorAll(selector)].find((one) => one === document.body || one.offsetParent);
        const rgb = (css) => css.match(/[\\d.]+/g).map(Number);
        let ground = node;
        while (ground && (rgb(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
        const linear = (one) => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
        const light = (css) => { const [r, g, b] = rgb(css).map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const [a, b] = [light(getComputedStyle(node).color), light(getComputedStyle(ground).backgroundColor)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }""",
        selector,
    )
