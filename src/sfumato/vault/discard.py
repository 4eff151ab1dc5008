"""Checks that what was discarded is gone: receipts, keys, files, surroundings; says what that does not prove."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sfumato.errors import VaultError
from sfumato.vault import derived, elsewhere, followups, receipts, segments, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sfumato.model.layout import Layout
    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.followups import FollowUp, Kept
    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.keystore import EpochKeys
    from sfumato.vault.names import Zone

SUFFIXES: dict[Zone, str] = {"raw": segments.SUFFIX, "derived": derived.SUFFIX}


def verify(
    layout: Layout,
    keys: EpochKeys,
    *,
    holds: Callable[[bytes, bytes], bool],
    former: Sequence[KeyWrapper] = (),
    store: SegmentStore | None = None,
) -> dict[str, Any]:
    """Each receipt and what speaks against it, and what lies around. `good`: there are some, nothing speaks against.

    For each receipt every file of the key store is tried, under the root key of `keys` and those it had before: all
    must fail. Only the destroyed key's own id counts as still there: an epoch may have a newer key for conversations
    that came after the discard. store: where segments lay that were not on the disk; a receipt that names one which is
    not given is not good. What is bad around it is the operator's to judge, and makes no receipt false.

    Raises:
        StorageError: the store does not answer.
    """
    found = []
    for path in sorted(layout.receipts.glob("*.json")):
        try:
            receipt = receipts.read(path, verify=holds)
            followed = followups.read(path.parent, receipt.id, verify=holds)
        except VaultError:
            found.append(
                {"id": path.stem, "dataset": "?", "epoch": "?", "zone": "?", "good": False, "problems": ["altered"]}
            )
            continue
        problems = keys.remains(receipt.dataset, receipt.epoch, receipt.key_id, zone=receipt.zone, former=former)
        problems += _left(receipt, layout.raw if receipt.zone == "raw" else layout.derived, store)
        found.append(_told(receipt, followed, problems))
    around = surroundings.findings(layout)
    return {
        "good": bool(found) and all(receipt["good"] for receipt in found),
        "receipts": found,
        "tried": [keys.root, *(root.id for root in former)],
        "surroundings": [asdict(one) for one in around],
        "proves": receipts.PROVES,
        "does_not_prove": receipts.DOES_NOT_PROVE,
    }


def follow(
    directory: Path,
    roots: Sequence[Kept],
    *,
    holds: Callable[[bytes, bytes], bool],
    sign: Callable[[bytes], bytes],
    record: Callable[[FollowUp], None],
    checked: str,
) -> list[FollowUp]:
    """Ask what became of root keys, and write it beside every receipt whose key one of them wrapped.

    record: told of each before it is written. An answer that is older than one already there is not taken back.

    Raises:
        VaultError: a receipt was altered. KeyMissing, StorageError: a key service says nothing.
    """
    fates = [(root.id, root.fate()) for root in roots]
    made = []
    for path in sorted(directory.glob("*.json")):
        receipt = receipts.read(path, verify=holds)
        for root, fate in fates:
            found = followups.follow(receipt, root, fate, checked=checked)
            before = followups.read(directory, receipt.id, verify=holds)
            if found is None or (before is not None and before.state == "destroyed"):
                continue
            record(found)
            followups.write(directory, found, sign=sign)
            made.append(found)
    return made


def _told(receipt: receipts.Receipt, followed: FollowUp | None, problems: list[str]) -> dict[str, Any]:
    evidence = None
    if followed is not None:
        evidence = {"root": followed.root, "checked": followed.checked, **followed.evidence}
    return {
        "id": receipt.id,
        "dataset": receipt.dataset,
        "epoch": receipt.epoch,
        "zone": receipt.zone,
        "state": receipt.state if followed is None else followed.state,
        "evidence": evidence,
        "destroyed": receipt.destroyed,
        "proves": receipt.proves,
        "does_not_prove": receipt.does_not_prove,
        "good": not problems,
        "problems": problems,
    }


def _left(receipt: receipts.Receipt, zone: Path, store: SegmentStore | None) -> list[str]:
    folder, suffix, problems = zone / receipt.dataset / receipt.epoch, SUFFIXES[receipt.zone], []
    if any((folder / f"{segment.name}{suffix}").exists() for segment in receipt.segments):
        problems.append("a file it lists is still on the disk")
    names = [segment.name for segment in receipt.segments]
    for url in receipts.stores_of(receipt):
        if not elsewhere.is_at(store, url):
            problems.append(f"its segments lay in {url}, which was not looked into: name it with --raw-store")
        elif elsewhere.still_there(store, f"{receipt.dataset}/{receipt.epoch}", names):
            problems.append(f"a segment it lists is still in {url}")
    return problems
