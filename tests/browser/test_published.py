"""`sfumato export --site`: one page with one release in it, from a disk or any server, asking nobody for anything."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from accessibility import violations
from explorer_sites import NEWEST
from page_injection import INJECTION, REFUSED
from releases import pin, store_release
from sfumato.cli.app import app


@pytest.fixture
def exported(tmp_path):
    """The one file that an export writes."""
    data, folder = tmp_path / "data", tmp_path / "site"
    pin(data)
    store_release(data, NEWEST)
    made = CliRunner().invoke(app, ["export", "--data", str(data), "--site", str(folder), "--json"])
    assert made.exit_code == 0
    assert json.loads(made.stdout) == [str(folder / "index.html")]
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    return folder / "index.html"


@pytest.fixture
def published(exported):
    """Its address on a file server, below a path that is not the root, and the addresses that server was asked for."""
    asked: list[str] = []

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    above = functools.partial(Files, directory=exported.parents[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), above)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/site/", asked
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["disk", "server"])
def address(request, exported):
    """The page opened by a double click, and from a server."""
    return exported.as_uri() if request.param == "disk" else request.getfixturevalue("published")[0]


def test_a_published_page_shows_its_release_from_a_disk_as_from_any_server(page, address):
    page.goto(address)
    expect(page.get_by_role("treeitem", name="Software development")).to_be_visible()
    page.get_by_role("treeitem", name="Debug Python code").click()
    expect(page.locator("#detail")).to_contain_text("Share by language")
    page.get_by_role("button", name="What is guaranteed").click()
    expect(page.get_by_role("dialog")).to_contain_text("Checked in this browser")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)  # hidden at once; the address tells it a moment later
    assert page.get_by_role("link", name="Ask").count() == 0
    assert page.get_by_role("button", name="Sign out").count() == 0
    page.reload()
    expect(page.locator("#detail h2")).to_have_text("Debug Python code")  # the address holds the state here too
    page.get_by_role("link", name="All topics", exact=True).click()
    page.go_back()
    expect(page.locator("#detail h2")).to_have_text("Debug Python code")
    with page.expect_download() as told:
        page.locator(".figure").first.get_by_role("button", name="PNG").click()
    assert told.value.path().read_bytes().startswith(b"\x89PNG")
    assert page.faults == []


def test_a_published_page_asks_for_nothing_but_itself(page, published):
    url, asked = published
    page.goto(url)
    expect(page.get_by_role("tree")).to_be_visible()
    assert asked == ["/site/"]


def test_nothing_else_runs_or_is_fetched_in_a_published_page(page, address):
    """Its policy names its own script and style by their digests; what an injection would try is refused."""
    page.goto(address)
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.evaluate(INJECTION) == REFUSED
    assert page.evaluate("fetch(location.href).then(() => 'fetched', () => 'refused')") == "refused"


def test_a_script_put_into_the_file_does_not_run(page, exported):
    text = exported.read_text().replace("<body>", "<body><script>document.title = 'mine'</script>", 1)
    exported.write_text(text)
    page.goto(exported.as_uri())
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.title() != "mine"
    assert "Content Security Policy" in page.faults[0]


@pytest.mark.parametrize(
    "query",
    ["a=t002&b=t003", "a=t002&b=t003&measure=share", "a=t002&b=&af=language:en&bf=language:en&measure=share",
     "a=t002&af=language:en&b=t002&measure=share", "a=t004&b=t008&measure=conversations"],
)  # fmt: skip
def test_it_compares_as_the_server_does(opened, published, signed_in, query):
    """Value, interval and verdict on both pages are the same text."""
    url, _ = published
    told = []
    for page in (opened(), opened()):
        if told:
            signed_in(page, at=f"#/compare?release={NEWEST.id}&{query}")
        else:
            page.goto(f"{url}#/compare?{query}")
        expect(page.locator(".verdict")).to_be_visible()
        expect(page.locator(".difference .note")).to_be_visible()
        told.append([page.locator(".verdict").inner_text(), page.locator(".difference .note").inner_text(),
                     page.locator(".outcome table").inner_text()])  # fmt: skip
    assert told[0] == told[1]


def test_a_published_release_that_was_changed_says_so(page, exported):
    exported.write_text(exported.read_text().replace('"value":4100', '"value":4101', 1))
    page.goto(f"{exported.as_uri()}#/topics?card=open")
    expect(page.get_by_role("dialog")).to_contain_text("changed after it was signed")


def test_a_published_page_that_was_cut_short_says_so(page, exported):
    exported.write_text(exported.read_text().replace('"value":4100', '"value":', 1))
    page.goto(exported.as_uri())
    expect(page.get_by_role("alert")).to_contain_text("cut short or changed")


def test_no_view_of_a_published_page_breaks_a_rule_of_wcag_22_aa(page, exported):
    for at in ("#/topics?topic=t002", "#/topics?card=open", "#/compare?a=t002&b=t003"):
        page.goto(exported.as_uri() + at)
        page.wait_for_timeout(300)
        assert violations(page) == []
