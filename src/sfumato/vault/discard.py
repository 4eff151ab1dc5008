"""Checks that what was discarded is gone: receipts, key store, leftover files; says what that does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.errors import VaultError
from sfumato.vault import derived, receipts, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

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
) -> dict[str, Any]:
    """Each receipt and what speaks against it. `good` is true only if there are some and nothing does.

    zones: the folders that raw text and extracts lie under.

    For each receipt every file of the key store is tried, under the root key of `keys` and those it had before.

    Only the destroyed key's own id counts as still there: an epoch may have a newer key for conversations that came
    after the discard.
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
        problems += _left(receipt, zones[receipt.zone])
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


def _left(receipt: receipts.Receipt, zone: Path) -> list[str]:
    folder, suffix = zone / receipt.dataset / receipt.epoch, SUFFIXES[receipt.zone]
    if any((folder / f"{segment.name}{suffix}").exists() for segment in receipt.segments):
        return ["a file it lists is still on the disk"]
    return []
