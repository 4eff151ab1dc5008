"""Retention that happens: sealed data past its limit is destroyed, whether or not anybody came to use it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.policy import decide
from sfumato.policy.load import digest
from sfumato.vault import durable
from sfumato.vault.rawzone import RawZone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sfumato.model.layout import Layout
    from sfumato.policy.schema import Policy
    from sfumato.vault.keystore import EpochKeys


def sweep(
    layout: Layout, keys: EpochKeys, policy: Policy, *, now: datetime, sign: Callable[[bytes], bytes]
) -> list[tuple[str, str, str]]:
    """Destroy every epoch key whose data is older than the policy allows; (dataset, part, zone) of each.

    Age counts from the oldest sealed file of a part, or from the key's own where there is none yet. Raw data gets a
    receipt.
    """
    swept: list[tuple[str, str, str]] = []
    for dataset, part, zone in list(keys.held()):
        folder = (layout.raw if zone == "raw" else layout.derived) / dataset / part
        age = now - _oldest(folder, layout.keystore, default=now)
        if decide.keep(policy.retention, data=zone, age=age, used=False).allowed:
            continue
        if zone == "raw":
            raw = RawZone(dataset=dataset, part=part, folder=folder, keys=keys, receipts=layout.receipts, sign=sign)
            key = raw.key()
            if key is not None:
                moment = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                began = (now - age).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                raw.discard(key, policy=digest(policy), ingested=began, destroyed=moment)
        else:
            keys.destroy(dataset, part, zone)
            durable.remove(folder.glob("*"), inside=folder)
        swept.append((dataset, part, zone))
    return swept


def _oldest(folder: Path, keystore: Path, *, default: datetime) -> datetime:
    """When the oldest file of a part was written."""
    times = [path.stat().st_mtime for path in folder.glob("*") if path.is_file()]
    times = times or [path.stat().st_mtime for path in keystore.glob(f"*{folder.name}*")]
    return datetime.fromtimestamp(min(times), UTC) if times else default
