"""Take the pictures of the README from the demo's data: `make pictures`, once `make demo` has made it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1440, 900
POLICY = "policies/standard.yaml"
Scheme = Literal["light", "dark"]


def first_view(page: Page) -> None:
    """What is there after signing in."""
    expect(page.locator("circle.spot").first).to_be_visible()


def one_topic(page: Page) -> None:
    """A topic of the second level, chosen in the list."""
    page.get_by_role("treeitem").nth(1).click()
    expect(page.locator("#detail nav")).to_be_visible()


def card(page: Page) -> None:
    """What is promised."""
    page.get_by_role("button", name="What is guaranteed").click()
    expect(page.get_by_text("Checked in this browser")).to_be_visible()


PICTURES: dict[str, tuple[Scheme, Callable[[Page], None]]] = {
    "explorer-topics": ("light", first_view),
    "explorer-topics-dark": ("dark", first_view),
    "explorer-topic": ("light", one_topic),
    "explorer-guarantee": ("light", card),
    "explorer-guarantee-dark": ("dark", card),
}


@contextmanager
def served(data: Path) -> Iterator[str]:
    """The address of the explorer over this data, with a new analyst's key in its fragment."""
    sfumato = str(Path(sys.executable).with_name("sfumato"))
    issued = subprocess.run(  # noqa: S603 - our own command
        [sfumato, "keys", "issue", "--data", str(data), "--role", "analyst"], check=True, capture_output=True, text=True
    )
    server = subprocess.Popen(  # noqa: S603 - our own command
        [sfumato, "serve", POLICY, "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = next(line for line in server.stdout or () if "http://" in line)
        yield f"http://{said.split('http://')[1].split()[0]}#key={issued.stdout.strip()}"
    finally:
        server.terminate()
        server.wait()


def take(browser: Browser, address: str, name: str, folder: Path) -> None:
    """One picture."""
    scheme, prepare = PICTURES[name]
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("treeitem").first).to_be_visible(timeout=60_000)
    prepare(page)
    page.wait_for_timeout(800)  # until the map has come to rest
    page.screenshot(path=folder / f"{name}.png")
    context.close()


def main(data: Path, folder: Path) -> None:
    """Every picture, from one server."""
    folder.mkdir(parents=True, exist_ok=True)
    with served(data) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name in PICTURES:
            take(browser, address, name, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
