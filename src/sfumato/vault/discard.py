"""Checks that what was discarded is gone: receipts, key store, leftover files; says what that does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.errors import VaultError
from sfumato.vault import derived, elsewhere, receipts, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.keystore import EpochKeys
    from sfumato.vault.names import Zone

SUFFIXES: dict[Zone, str] = {"raw": segments.SUFFIX, "derived": derived.SUFFIX}


def verify(
    directory: Path,
    zones: Mapping[Zone, Path],
    keys: EpochKeys,
    *,
    holds: Callable[[bytes, bytes], bool],
    former: Sequence[KeyWrapper] = (),
    store: SegmentStore | None = None,
) -> dict[str, Any]:
    """Each receipt and what speaks against it. `good` is true only if there are some and nothing does.

    zones: the folders that raw text and extracts lie under.

    For each receipt every file of the key store is tried, under the root key of `keys` and those it had before.

    Only the destroyed key's own id counts as still there: an epoch may have a newer key for conversations that came
    after the discard. store: where segments lay that were not on the disk; a receipt that names one which is not given
    is not good.

    Raises:
        StorageError: the store does not answer.
    """
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            receipt = receipts.read(path, verify=holds)
        except VaultError:
            found.append(
                {"id": path.stem, "dataset": "?", "epoch": "?", "zone": "?", "good": False, "problems": ["altered"]}
            )
            continue
        problems = keys.remains(receipt.dataset, receipt.epoch, receipt.key_id, zone=receipt.zone, former=former)
        problems += _left(receipt, zones[receipt.zone], store)
        found.append(
            {
                "id": receipt.id,
                "dataset": receipt.dataset,
                "epoch": receipt.epoch,
                "zone": receipt.zone,
                "state": receipt.state,
                "destroyed": receipt.destroyed,
                "proves": receipt.proves,
                "does_not_prove": receipt.does_not_prove,
                "good": not problems,
                "problems": problems,
            }
        )
    return {
        "good": bool(found) and all(receipt["good"] for receipt in found),
        "receipts": found,
        "proves": receipts.PROVES,
        "does_not_prove": receipts.DOES_NOT_PROVE,
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
