"""Retention that happens: sealed data past its limit is destroyed, whether or not anybody came to use it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sfumato.policy import decide
from sfumato.policy.load import digest
from sfumato.vault.derivedzone import DerivedZone
from sfumato.vault.manifest import INTENT
from sfumato.vault.rawzone import RawZone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sfumato.model.layout import Layout
    from sfumato.policy.schema import Policy
    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.keystore import EpochKeys


class Swept(NamedTuple):
    """A key that was destroyed; receipt: of raw data, its id."""

    dataset: str
    part: str
    zone: str
    receipt: str | None = None


def sweep(
    layout: Layout,
    keys: EpochKeys,
    policy: Policy,
    *,
    now: datetime,
    sign: Callable[[bytes], bytes],
    store: SegmentStore | None = None,
) -> list[Swept]:
    """Destroy every epoch key whose data is older than the policy allows; which these were.

    Age counts from the oldest sealed file of a part, or from the key's own where there is none yet. Each gets a
    receipt, also where an earlier sweep was cut short before it could sign one. store: where sealed conversations lie
    if not in the data directory.
    """
    for noted in layout.derived.glob(f"*/*/{INTENT}"):
        _extracts(layout, keys, noted.parent.parent.name, noted.parent.name, sign=sign).finish()
    swept: list[Swept] = []
    for dataset, part, zone in list(keys.held()):
        folder = (layout.raw if zone == "raw" else layout.derived) / dataset / part
        age = now - _oldest(folder, layout.keystore, default=now)
        if decide.keep(policy.retention, data=zone, age=age, used=False).allowed:
            continue
        moment, began, receipt = _told(now), _told(now - age), None
        if zone == "derived":
            extracts = _extracts(layout, keys, dataset, part, sign=sign)
            receipt = extracts.discard(policy=digest(policy), began=began, destroyed=moment)
        else:
            raw = _raw(layout, keys, dataset, part, sign=sign, store=store)
            key = raw.key()
            if key is not None:
                receipt = raw.discard(key, policy=digest(policy), ingested=began, destroyed=moment)
        swept.append(Swept(dataset, part, zone, receipt))
    _clear_lost(layout, keys, policy, now=now, store=store)
    return swept


def _clear_lost(layout: Layout, keys: EpochKeys, policy: Policy, *, now: datetime, store: SegmentStore | None) -> None:
    """Remove raw text past its limit that nobody can open: its key was in the memory of a process that ended."""
    held = set(keys.held())
    for folder in layout.raw.glob("*/*"):
        dataset, part = folder.parent.name, folder.name
        age = now - _oldest(folder, layout.keystore, default=now)
        raw = _raw(layout, keys, dataset, part, sign=bytes, store=store)
        known = (dataset, part, "raw") in held or not raw.segments()
        if not known and not decide.keep(policy.retention, data="raw", age=age, used=False).allowed:
            raw.clear()


def _raw(
    layout: Layout,
    keys: EpochKeys,
    dataset: str,
    part: str,
    *,
    sign: Callable[[bytes], bytes],
    store: SegmentStore | None,
) -> RawZone:
    folder = layout.raw / dataset / part
    return RawZone(
        dataset=dataset, part=part, folder=folder, keys=keys, receipts=layout.receipts, sign=sign, store=store
    )


def _extracts(
    layout: Layout, keys: EpochKeys, dataset: str, part: str, *, sign: Callable[[bytes], bytes]
) -> DerivedZone:
    folder = layout.derived / dataset / part
    return DerivedZone(dataset=dataset, part=part, folder=folder, keys=keys, receipts=layout.receipts, sign=sign)


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _oldest(folder: Path, keystore: Path, *, default: datetime) -> datetime:
    """When the oldest file of a part was written."""
    times = [path.stat().st_mtime for path in folder.glob("*") if path.is_file()]
    times = times or [path.stat().st_mtime for path in keystore.glob(f"*{folder.name}*")]
    return datetime.fromtimestamp(min(times), UTC) if times else default
