"""`sfumato export --site`: the page with one release in it, from a plain file server, asking nobody for anything."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from explorer_sites import NEWEST
from releases import pin, store_release
from sfumato.cli.app import app


@pytest.fixture
def published(tmp_path):
    """The address of a file server over an exported page, and the addresses it was asked for."""
    data, folder = tmp_path / "data", tmp_path / "site"
    pin(data)
    store_release(data, NEWEST)
    made = CliRunner().invoke(app, ["export", "--data", str(data), "--site", str(folder), "--json"])
    assert made.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["app.js", "index.html", "release.json", "style.css"]
    assert len(json.loads(made.stdout)) == 4
    asked: list[str] = []

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked, folder
    server.shutdown()
    server.server_close()


def test_a_published_page_shows_its_release_without_a_server_of_ours(page, published):
    url, asked, _ = published
    page.goto(url)
    expect(page.get_by_role("treeitem", name="Software development")).to_be_visible()
    page.get_by_role("treeitem", name="Debug Python code").click()
    expect(page.locator("#detail")).to_contain_text("Share by language")
    page.get_by_role("button", name="What is guaranteed").click()
    expect(page.get_by_role("dialog")).to_contain_text("Checked in this browser")
    assert page.get_by_role("link", name="Ask").count() == 0
    assert page.get_by_role("button", name="Sign out").count() == 0
    assert set(asked) <= {"/", "/app.js", "/style.css", "/release.json"}
    assert page.faults == []


@pytest.mark.parametrize(
    "query",
    ["a=t002&b=t003", "a=t002&b=t003&measure=share", "a=t002&b=&af=language:en&bf=language:en&measure=share",
     "a=t002&af=language:en&b=t002&measure=share", "a=t004&b=t008&measure=conversations"],
)  # fmt: skip
def test_it_compares_as_the_server_does(opened, published, signed_in, query):
    """Value, interval and verdict on both pages are the same text."""
    url, _, _ = published
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


def test_a_published_release_that_was_changed_says_so(page, published):
    url, _, folder = published
    document = json.loads((folder / "release.json").read_text())
    document["totals"]["users"]["value"] += 1
    (folder / "release.json").write_text(json.dumps(document))
    page.goto(f"{url}#/topics?card=open")
    expect(page.get_by_role("dialog")).to_contain_text("changed after it was signed")
