"""Checks that discarded raw text is gone: receipts, key store, leftover segments; says what that does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.errors import KeyMissing, VaultError
from sfumato.vault import receipts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sfumato.vault.keystore import EpochKeys


def verify(directory: Path, raw: Path, keys: EpochKeys, *, holds: Callable[[bytes, bytes], bool]) -> dict[str, Any]:
    """Each receipt and what speaks against it. `good` is true only if there are some and nothing does.

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
        problems = _problems(receipt, raw, keys)
        found.append(
            {
                "id": receipt.id,
                "dataset": receipt.dataset,
                "epoch": receipt.epoch,
                "state": receipt.state,
                "destroyed": receipt.destroyed,
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


def _problems(receipt: receipts.Receipt, raw: Path, keys: EpochKeys) -> list[str]:
    problems = []
    try:
        if keys.open(receipt.dataset, receipt.epoch, "raw").id.hex() == receipt.key_id:
            problems.append("its key still opens")
    except KeyMissing:
        pass  # gone, as the receipt says
    except VaultError:
        problems.append("a key file of this epoch is there and does not open")
    left = raw / receipt.dataset / receipt.epoch
    if any((left / f"{segment.name}.seg").exists() for segment in receipt.segments):
        problems.append("a segment it lists is still on the disk")
    return problems
