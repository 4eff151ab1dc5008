"""A browser, a page that tells of every fault, and a served deployment, shared by the tests of the explorer."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from explorer_sites import explorer_site

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--process-per-site",
]  # fmt: skip
WAIT_MS = 20_000
VIEWPORT = {"width": 1440, "height": 900}


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and not CHROMIUM.exists():
            item.add_marker(pytest.mark.skip(reason="no Chromium at /usr/bin/chromium"))


@pytest.fixture(scope="module")  # while it is open its event loop runs here, and no test may start another
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    with explorer_site(tmp_path_factory.mktemp("explorer")) as found:
        yield found


@pytest.fixture(scope="module")
def shared(browser, site):
    """The context of pages that ask for nothing special. One that stays open keeps the process for all of them."""
    context = browser.new_context(viewport=VIEWPORT)
    context.new_page().goto(site.url)
    yield context
    context.close()


@pytest.fixture
def opened(browser, shared):
    """Makes pages, with options each in a context of its own, and a list of what went wrong in each."""
    mine = []

    def open_page(**options):
        context = browser.new_context(**{"viewport": VIEWPORT, **options}) if options else shared
        page = context.new_page()
        mine.append(context if options else page)
        page.set_default_timeout(WAIT_MS)
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("dialog", lambda dialog: (page.faults.append("a dialog opened"), dialog.dismiss()))
        return page

    expect.set_options(timeout=WAIT_MS)
    yield open_page
    for one in mine:
        one.close()


@pytest.fixture
def page(opened):
    return opened()


@pytest.fixture
def signed_in(site):
    """Signs a page in with a key of a role, at an address."""

    def go(page, role: str = "analyst", at: str = ""):
        page.goto(f"{site.url}#key={site.keys[role]}")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        if at:
            page.evaluate("(at) => { location.hash = at }", at)
        return page

    return go
