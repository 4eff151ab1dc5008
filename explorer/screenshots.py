"""Take the pictures of the README from a running server, such as the one that `make demo` leaves.

python explorer/screenshots.py 'http://127.0.0.1:PORT/#key=sfk_...' docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1440, 900


def topics(page: Page) -> None:
    """The first view, with a topic chosen."""
    page.keyboard.press("Tab")
    page.get_by_role("treeitem").nth(1).click()
    expect(page.locator("#detail nav")).to_be_visible()


def card(page: Page) -> None:
    """What is promised."""
    page.get_by_role("button", name="What is guaranteed").click()
    expect(page.get_by_text("Checked in this browser")).to_be_visible()


PICTURES = {"explorer-topics": ("light", topics), "explorer-guarantee": ("dark", card)}


def main(address: str, folder: Path) -> None:
    """One picture for each view."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, (scheme, prepare) in PICTURES.items():
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(address)
            expect(page.get_by_role("treeitem").first).to_be_visible(timeout=60_000)
            prepare(page)
            page.wait_for_timeout(800)  # until the map has come to rest
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
