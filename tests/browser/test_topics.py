"""Tree, map and detail as one selection that the address holds: by keyboard, by mouse, by link and back."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

from explorer_sites import GUARDED, NEWEST
from releases import MARKUP


@pytest.fixture
def topics(page, signed_in):
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    return page


def active(page) -> str:
    return page.evaluate("""() => {
        const row = document.getElementById(document.activeElement.getAttribute("aria-activedescendant"));
        return row?.querySelector(".name").textContent ?? "";
    }""")


def test_the_tree_is_walked_by_keyboard_alone(topics):
    """From the top of the page with Tab, arrows, letters, Home, End and Enter; no mouse, nothing lost on the way."""
    for _ in range(40):
        topics.keyboard.press("Tab")
        if topics.evaluate("document.activeElement.getAttribute('role')") == "tree":
            break
    walked = {
        "Debug Python code": ["Home", "ArrowDown"],
        "Write SQL queries": ["ArrowDown"],
        "Software development": ["ArrowLeft"],
        "Everyday life": ["ArrowLeft", "ArrowDown"],
        "Schreiben auf Deutsch üben": ["ArrowRight", "End"],
        "Plan a trip": ["p"],
        "Explain shell commands": ["Home", "ArrowRight", "e"],
    }
    for name, keys in walked.items():
        for key in keys:
            topics.keyboard.press(key)
        assert active(topics) == name
    topics.keyboard.press("Enter")
    expect(topics.locator("#detail h2")).to_have_text("Explain shell commands")
    expect(topics.locator("[aria-selected=true][role=treeitem]")).to_have_count(1)
    assert topics.faults == []


def test_the_selection_is_one_in_tree_map_detail_and_address_and_back_undoes_it(topics):
    topics.get_by_role("treeitem", name="Plan a trip").click()
    expect(topics.locator("#detail h2")).to_have_text("Plan a trip")
    expect(topics.locator("circle.chosen")).to_have_attribute("data-spot", "t006")
    assert "topic=t006" in topics.url
    topics.locator("circle.spot[data-spot=t008]").dispatch_event("click")  # wherever it is, in sight or not
    expect(topics.get_by_role("treeitem", name="Schreiben auf Deutsch")).to_have_attribute("aria-selected", "true")
    topics.go_back()
    expect(topics.locator("#detail h2")).to_have_text("Plan a trip")
    topics.go_back()
    expect(topics.locator("#detail h2")).to_have_text("Everybody")


def test_a_deep_link_shows_the_same_after_signing_in(opened, site):
    page = opened()
    page.goto(f"{site.url}#/topics?release={NEWEST.id}&topic=t002&by=language%3Ade")
    page.get_by_label("API key").fill(site.keys["analyst"])
    page.get_by_role("button", name="Show releases").click()
    expect(page.locator("#detail h2")).to_have_text("Debug Python code")
    expect(page.get_by_label("Sort and colour by")).to_have_value("language:de")
    expect(page.get_by_role("treeitem", name="Debug Python code")).to_have_attribute(
        "aria-label", re.compile("language: German 25%")
    )


def test_zooming_the_map_reveals_the_next_level(topics):
    drawn = topics.locator(".map-svg")
    expect(drawn).to_have_attribute("data-level", "0")
    expect(topics.locator("circle.spot")).to_have_count(2)
    topics.get_by_role("button", name="Zoom in").click()
    expect(drawn).to_have_attribute("data-level", "1")
    expect(topics.locator("circle.spot")).to_have_count(6)
    topics.get_by_role("button", name="Show the whole map").click()
    expect(drawn).to_have_attribute("data-level", "0")


def test_areas_are_users_and_no_circle_is_anything_but_a_released_topic(topics):
    areas = topics.evaluate("""() => Object.fromEntries([...document.querySelectorAll("circle.spot")].map(
        (one) => [one.dataset.spot, Number(one.getAttribute("r")) ** 2]))""")
    assert set(areas) == {"t001", "t005"}
    assert areas["t001"] / areas["t005"] == pytest.approx(2609 / 1339, rel=1e-3)  # edges stand at the intervals' ends


def test_the_map_begins_at_its_first_level_and_not_a_frame_later(page, signed_in):
    page.add_init_script("window.requestAnimationFrame = () => 0")  # no later frame comes
    signed_in(page)
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.locator(".map-svg")).to_have_attribute("data-level", "0")
    expect(page.locator("circle.spot")).to_have_count(2)


def test_labels_of_the_map_do_not_touch(topics):
    topics.get_by_role("button", name="Zoom in").click()
    expect(topics.locator(".map-svg")).to_have_attribute("data-level", "1")
    boxes = topics.evaluate("""() => [...document.querySelectorAll(".labels text")].map((one) => {
        const box = one.getBoundingClientRect();
        return [box.left, box.right, box.top, box.bottom];
    })""")
    assert len(boxes) > 1
    for at, a in enumerate(boxes):
        for b in boxes[at + 1 :]:
            assert not (a[0] < b[1] and b[0] < a[1] and a[2] + 2 < b[3] and b[2] + 2 < a[3])


def test_sorting_by_growth_uses_the_epoch_before_and_shows_its_interval(topics):
    topics.get_by_label("Sort and colour by").select_option("growth")
    first = topics.get_by_role("treeitem").first
    expect(first).to_have_attribute("aria-label", re.compile(r"Software development.*growth since 2025-06 \+21%"))
    expect(topics.get_by_role("treeitem", name="Plan a trip")).to_have_attribute(
        "aria-label", re.compile(r"−\d+% to \+\d+%")
    )


def test_sorting_and_colouring_by_a_facet_shows_its_interval_and_what_the_noise_leaves_open(topics):
    topics.get_by_label("Sort and colour by").select_option("refused:yes")
    rows = topics.get_by_role("treeitem")
    expect(rows.nth(1)).to_have_attribute("aria-label", re.compile(r"Debug Python code.*refusal rate 5%, 4.1% to 5.9%"))
    expect(rows.last).to_have_attribute(
        "aria-label", re.compile("refusal rate not shown")
    )  # what is withheld comes last
    legend = topics.locator(".legend")
    for part in ("0%", "5%", "sharp edge: sure; soft edge: unsure", "pale: known only roughly"):
        expect(legend).to_contain_text(part)
    topics.get_by_label("Sort and colour by").select_option("growth")
    expect(legend).to_contain_text("pale: the noise alone could explain it")
    expect(topics.locator("circle.spot[data-spot=t001]")).to_have_class(re.compile("sure"))  # +21 % is more than noise
    expect(topics.locator("circle.spot[data-spot=t005]")).to_have_class(re.compile("open"))  # no change is not


def test_a_bar_of_the_list_is_solid_to_the_low_end_of_its_interval_and_gone_at_the_high_end(topics):
    drawn = topics.locator("[data-topic=t002] .softbar")
    low, high = drawn.evaluate("(bar) => ['--low', '--high'].map((one) => parseFloat(bar.style.getPropertyValue(one)))")
    users = next(one.users for one in NEWEST.topics if one.id == "t002")
    most = next(one.users for one in NEWEST.topics if one.id == "t001").high
    assert low == pytest.approx(100 * users.low / most, abs=0.01)
    assert high == pytest.approx(100 * users.high / most, abs=0.01)


def test_the_first_view_says_when_the_noise_leaves_open_who_is_first(opened, site, signed_in):
    page = opened()

    def changed(route):
        document = route.fetch().json()
        by_id = {one["id"]: one for one in document["topics"]}
        by_id["t005"]["users"] = by_id["t001"]["users"]
        route.fulfill(json=document)

    signed_in(page)
    expect(page.locator(".next")).to_contain_text("Everyday life 32%")
    expect(page.locator(".next")).not_to_contain_text("noise")
    page.route(re.compile(r"/v1/releases/rel_[0-9a-f]{20}$"), changed)
    page.goto("about:blank")
    signed_in(page)
    expect(page.locator(".next")).to_contain_text("The noise leaves open which of the first two is ahead")


def test_searching_jumps_to_the_topic(topics):
    box = topics.get_by_role("combobox", name="Search topics")
    box.fill("trip")
    topics.keyboard.press("ArrowDown")
    topics.keyboard.press("Enter")
    expect(topics.locator("#detail h2")).to_have_text("Plan a trip")
    box.fill("zzzz")
    expect(topics.locator(".found.nothing")).to_contain_text("too few people asked it")


def test_a_topic_shows_intervals_phrases_facets_trend_and_what_is_withheld(topics):
    topics.get_by_role("treeitem", name="Debug Python code").click()
    detail = topics.locator("#detail")
    for part in ("People ask for help", "1,204", "1,195 to 1,213", "python", "Share by language", "Users over time"):
        expect(detail).to_contain_text(part)
    expect(detail.get_by_role("row", name="Portuguese")).to_contain_text("withheld")
    expect(detail.locator(".line .band")).to_have_count(1)
    expect(detail.locator(".bars .whisker")).to_have_count(4)  # an error bar for each value that is shown
    expect(detail.get_by_role("table", name="Users over time").get_by_role("row")).to_have_count(4)
    expect(detail).to_contain_text("Some epochs are guarded")
    detail.get_by_text("Why is something missing?").click()
    expect(detail).to_contain_text("That says nothing about how many there are")


def test_shares_are_those_of_the_server(topics, site):
    """The page reckons shares itself, for thousands of topics at once: by the API's own formula."""
    topics.get_by_role("treeitem", name="Debug Python code").click()
    with_key = {"Authorization": f"Bearer {site.keys['analyst']}"}
    said = topics.request.get(f"{site.url}v1/releases/{NEWEST.id}/facets/language?topic=t002", headers=with_key).json()
    german = next(one["share"] for one in said["values"] if one["value"] == "de")
    row = topics.locator("#detail").get_by_role("row", name="German")
    expect(row).to_contain_text(f"{german['low']:.0%} to {german['high']:.0%}")


def test_the_card_says_unit_cost_bounds_promises_mechanisms_and_that_the_signature_is_good(topics):
    topics.get_by_role("button", name="What is guaranteed").click()
    card = topics.get_by_role("dialog")
    for part in (
        "Formal", "One user", "1.48", "10⁻⁷", "add or remove one user", "topics per user: at most 5",
        "which topics exist", "what a group of more than one user", "vocabulary", "56%", "sha256:5f5f",
        "Checked in this browser", "for roles that may read the ledger",
    ):  # fmt: skip
        expect(card).to_contain_text(part)
    expect(card.locator("tbody tr")).to_have_count(3)
    topics.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_a_document_that_was_changed_on_its_way_is_told_by_its_signature(opened, site, signed_in):
    page = opened()

    def changed(route):
        document = route.fetch().json()
        document["totals"]["users"]["value"] += 1
        route.fulfill(json=document)

    page.route(re.compile(r"/v1/releases/rel_[0-9a-f]{20}$"), changed)
    signed_in(page, at="#/topics?card=open")
    expect(page.get_by_role("dialog")).to_contain_text("changed after it was signed")


def test_a_guarded_release_wears_its_badge_everywhere(page, signed_in):
    for view in ("topics", "topics?card=open", "compare", "ask"):
        separator = "&" if "?" in view else "?"
        signed_in(page, at=f"#/{view}{separator}release={GUARDED.id}")
        expect(page.locator("header .badge.guarded")).to_be_visible()
        expect(page.locator("main .badge.guarded").first).to_be_attached()
        expect(page.locator(".badge.formal")).to_have_count(0)
        if "card" not in view:
            page.get_by_role("button", name="What is guaranteed").click()
        expect(page.get_by_role("dialog")).to_contain_text("names and topics carry no formal guarantee")
        page.keyboard.press("Escape")


@pytest.mark.parametrize("view", ["topics", "compare", "ask", "policy", "ledger", "audit"])
def test_the_card_is_one_click_away_in_every_view(page, signed_in, view):
    signed_in(page, at=f"#/{view}?release={NEWEST.id}")
    page.get_by_role("button", name="What is guaranteed").click()
    expect(page.get_by_role("dialog")).to_contain_text("Privacy loss ε of this release")


def test_markup_in_a_released_name_is_shown_as_text(topics):
    item = topics.locator("[role=treeitem][data-topic=t007]")
    expect(item.locator(".name")).to_have_text(MARKUP)
    item.click()
    expect(topics.locator("#detail h2")).to_have_text(MARKUP)
    assert topics.locator("main img, main b").count() == 0
    assert topics.faults == []


@pytest.mark.parametrize(("button", "name"), [("SVG", ".svg"), ("PNG", ".png")])
def test_a_picture_leaves_with_the_guarantee_printed_in_it(topics, button, name):
    with topics.expect_download() as told:
        topics.locator(".figure").first.get_by_role("button", name=button).click()
    path = told.value.path()
    assert told.value.suggested_filename.endswith(name)
    if button == "SVG":
        text = re.sub(r"<[^>]+>", " ", path.read_text())
        assert re.search(r"differentially\s+private;\s+unit\s+user;\s+ε\s+1.48", text)
    else:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000
    assert topics.faults == []


def test_tables_leave_with_the_guarantee_in_every_row_or_in_the_file(topics):
    topics.get_by_text("Download", exact=True).click()
    with topics.expect_download() as told:
        topics.get_by_role("button", name="Topics as shown").click()
    rows = list(csv.DictReader(io.StringIO(told.value.path().read_text())))
    assert {row["id"] for row in rows} == {topic.id for topic in NEWEST.topics}
    assert all("differentially private" in row["guarantee"] for row in rows)
    with topics.expect_download() as told:
        topics.get_by_role("button", name="topics.parquet").click()
    assert told.value.path().read_bytes().startswith(b"PAR1")
    with topics.expect_download() as told:
        topics.get_by_role("button", name="Signed release").click()
    assert json.loads(told.value.path().read_text())["id"] == NEWEST.id
