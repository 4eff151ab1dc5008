"""Policy, ledger and audit for their roles; what the page says it verified, it did, and it notices what was changed."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import expect

from explorer_sites import BEFORE
from sfumato.audit.log import AuditLog
from sfumato.model.layout import Layout


def test_the_ledger_shows_every_charge_and_what_is_left(page, signed_in):
    signed_in(page, "auditor", at="#/ledger")
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(2)
    for part in ("release", "queries", "50 % spent", "ε 1.4", "Its year"):
        expect(page.get_by_role("main")).to_contain_text(part)


@pytest.mark.parametrize("view", ["ledger", "audit", "policy"])
def test_an_analyst_is_kept_out_of_the_officers_views(page, signed_in, view):
    signed_in(page, at=f"#/{view}")
    expect(page.get_by_role("alert")).to_contain_text("role may not read this")


def test_the_card_has_a_meter_for_who_may_read_the_ledger(page, signed_in):
    signed_in(page, "auditor", at=f"#/topics?card=open&release={BEFORE.id}")
    expect(page.get_by_role("dialog")).to_contain_text("Budget of 2025-06: 50 % spent")
    expect(page.get_by_role("dialog")).to_contain_text("left ε 1.4")


def test_the_audit_log_is_verified_in_the_browser(page, site, signed_in):
    signed_in(page, "auditor", at="#/audit")
    expect(page.locator("#log-verdict")).to_contain_text("2 checkpoints are signed")
    expect(page.locator("#log-verdict")).to_contain_text("signs 33 entries")
    expect(page.get_by_text("✓ proved")).to_have_count(25)
    page.get_by_role("button", name="Later").click()
    expect(page.get_by_text("✓ proved")).to_have_count(8)
    expect(page.get_by_text("not signed yet").first).to_be_visible()
    assert page.get_by_text("not signed yet").count() >= 7  # and what was asked meanwhile


def test_a_checkpoint_kept_elsewhere_is_held_against_the_log(page, site, signed_in):
    log = AuditLog.read_only(Layout(data=site.data).audit)
    with log.stored() as stored:
        note = stored.notes[0][1].decode()
    log.close()
    signed_in(page, "auditor", at="#/audit")
    page.get_by_text("Check against a checkpoint you kept").click()
    page.get_by_label("The signed note").fill(note)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("still begins with the 9 entries")).to_be_visible()
    page.get_by_label("The signed note").fill(note.replace("\n9\n", "\n8\n"))
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("no checkpoint that the log's key signed")).to_be_visible()


def other(text: str) -> str:
    """The same base64 with one bit of what it says changed."""
    raw = bytearray(base64.b64decode(text))
    raw[5] ^= 1
    return base64.b64encode(raw).decode()


def test_an_entry_that_was_changed_is_not_in_the_tree(page, signed_in):
    def changed(route):
        said = route.fetch().json()
        said["events"][3]["entry"]["rule"] = "access.admin"
        route.fulfill(json=said)

    page.route(re.compile("/v1/audit/events"), changed)
    signed_in(page, "auditor", at="#/audit")
    expect(page.get_by_text("✕ not in it")).to_have_count(1)
    expect(page.get_by_text("✓ proved")).to_have_count(24)


def note(said) -> None:
    said["checkpoints"][0]["note"] = said["checkpoints"][0]["note"].replace("06:50:00", "06:51:00")


def proof(said) -> None:
    if said["hashes"]:
        said["hashes"][0] = other(said["hashes"][0])


@pytest.mark.parametrize(
    ("address", "change", "told"),
    [
        ("/v1/audit/checkpoints", note, "no valid signature"),
        ("/v1/audit/proofs/consistency", proof, "does not begin with"),
    ],
    ids=["checkpoint", "proof"],
)
def test_a_checkpoint_or_a_proof_that_was_changed_is_told(page, signed_in, address, change, told):
    def changed(route):
        said = route.fetch().json()
        change(said)
        route.fulfill(json=said)

    page.route(re.compile(address), changed)
    signed_in(page, "auditor", at="#/audit")
    expect(page.get_by_role("alert")).to_contain_text(told)
