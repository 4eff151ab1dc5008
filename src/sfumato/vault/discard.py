"""Checks that discarded raw text is gone: receipts, key store, leftover segments; says what that does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.errors import VaultError
from sfumato.vault import receipts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.keystore import EpochKeys


def verify(
    directory: Path,
    raw: Path,
    keys: EpochKeys,
    *,
    holds: Callable[[bytes, bytes], bool],
    former: Sequence[KeyWrapper] = (),
) -> dict[str, Any]:
    """Each receipt and what speaks against it. `good` is true only if there are some and nothing does.

    For each receipt every file of the key store is tried, under the root key of `keys` and those it had before.

    Only the destroyed key's own id counts as still there: an epoch may have a newer key for conversations that came
    after the discard.
    """
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            receipt = receipts.read(path, verify=holds)
        except VaultError:
            found.append({"id": path.stem, "dataset": "?", "epoch": "?", "good": False, "problems": ["altered"]})
            continue
        problems = keys.remains(receipt.dataset, receipt.epoch, receipt.key_id, former=former)
        problems += _left(receipt, raw)
        found.append(
            {
                "id": receipt.id,
                "dataset": receipt.dataset,
                "epoch": receipt.epoch,
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


def _left(receipt: receipts.Receipt, raw: Path) -> list[str]:
    folder = raw / receipt.dataset / receipt.epoch
    if any((folder / f"{segment.name}.seg").exists() for segment in receipt.segments):
        return ["a segment it lists is still on the disk"]
    return []
