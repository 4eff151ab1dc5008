"""Nobody is kept out by how it looks: no WCAG 2.2 AA violation in any view, light or dark, nothing cut if narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accessibility import violations
from explorer_sites import BEFORE, GUARDED, NEWEST

COMPARE = f"#/compare?release={NEWEST.id}&a=t002&b=t003"
VIEWS = {  # address: role, and what is there once it is drawn
    f"#/topics?release={NEWEST.id}&topic=t002&by=growth": ("analyst", "Users over time"),
    f"#/topics?release={GUARDED.id}&card=open": ("auditor", "Mechanisms"),
    COMPARE: ("analyst", "is larger than"),
    f"#/ask?release={NEWEST.id}": ("analyst", "Broken down by"),
    "#/policy": ("admin", "What may be learned"),
    "#/ledger": ("auditor", "Its year"),
    "#/audit": ("auditor", "proved"),
    "#/audit?first=0": ("analyst", "Not for this role"),
    f"#/topics?release={BEFORE.id}&by=language:de": ("analyst", "known only roughly"),
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
def test_no_view_breaks_a_rule_of_wcag_22_aa(opened, site, signed_in, scheme, width):
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.goto(site.url)
    assert violations(page) == []
    for address, (role, there) in VIEWS.items():
        signed_in(page, role, at=address)
        expect(page.get_by_text(there).first).to_be_attached()
        page.wait_for_timeout(200)
        assert violations(page) == [], address


def test_axe_would_find_a_violation(page, site):
    """The negative control: a button without a name is found."""
    page.goto(site.url)
    page.evaluate("document.body.append(document.createElement('button'))")
    assert any(one.startswith("button-name") for one in violations(page))


@pytest.mark.parametrize("width", [320, 1024])
def test_nothing_is_cut_off_however_narrow(opened, signed_in, width):
    page = opened(viewport={"width": width, "height": 800})
    for address, (role, there) in VIEWS.items():
        signed_in(page, role, at=address)
        expect(page.get_by_text(there).first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_on_a_phone_list_and_map_take_turns(opened, signed_in):
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True)
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.locator(".map-svg")).to_be_hidden()
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(".map-svg")).to_be_visible()
    expect(page.locator("circle.spot")).to_have_count(2)
    page.locator("circle.spot").first.tap()
    expect(page.locator("#detail h2")).to_have_text("Software development")


def test_what_is_printed_has_the_guarantee_and_no_controls(page, signed_in):
    signed_in(page, at=f"#/topics?release={BEFORE.id}")
    expect(page.get_by_role("tree")).to_be_visible()
    page.emulate_media(media="print")
    line = page.locator(".guarantee-line")
    expect(line).to_be_visible()
    expect(line).to_contain_text("ε 1.48")
    expect(page.get_by_role("treeitem", name="Plan a trip")).to_be_visible()
    last, below = page.get_by_role("treeitem").last.bounding_box(), page.locator(".map-panel").bounding_box()
    gap = below["y"] - last["y"] - last["height"]
    assert 0 <= gap < 80  # no empty page between the list and the map
    expect(page.get_by_role("navigation", name="Views")).to_be_hidden()
