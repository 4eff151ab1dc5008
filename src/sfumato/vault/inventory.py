"""What lies in the key store, as an operator may see it: names, ages and root keys, never a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.errors import VaultError
from sfumato.vault import deployment, names, superseding, wrapped

if TYPE_CHECKING:
    from pathlib import Path

State = Literal["good", "under another root key", "destroyed", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One epoch key. key_id: hex. root: what wraps it. made: seconds since 1970. Empty and 0 where it can't be told."""

    dataset: str
    part: str
    zone: str
    state: State
    root: str = ""
    key_id: str = ""
    made: int = 0

    @property
    def provider(self) -> str:
        """The kind of root key."""
        return self.root.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """root: what the store is under; None for a key file that was never rotated. leftovers: of writers that died."""

    root: str | None
    keys: tuple[Entry, ...]
    leftovers: int

    @property
    def half_rotated(self) -> bool:
        """Whether a rotation was cut short: some keys still lie under another root key."""
        return any(entry.state == "under another root key" for entry in self.keys)


def inventory(directory: Path) -> Inventory:
    """What the files say of themselves; no root key is needed, so nothing is opened.

    Raises:
        VaultError: the deployment secret's file is damaged. StorageError: unreadable.
    """
    if not directory.is_dir():
        return Inventory(root=None, keys=(), leftovers=0)
    current = deployment.stored(directory)
    root = None if current is None else current.root
    paths = sorted(directory.glob(f"*{names.SUFFIX}"))
    entries = tuple(_entry(path, name, root) for path in paths if (name := names.named(path)) is not None)
    return Inventory(root=root, keys=entries, leftovers=len(superseding.leftovers(directory)))


def _entry(path: Path, name: names.Name, root: str | None) -> Entry:
    dataset, part, zone = name
    try:
        found = wrapped.read(path)
    except VaultError:
        return Entry(dataset=dataset, part=part, zone=zone, state="damaged")
    if found is None:
        return Entry(dataset=dataset, part=part, zone=zone, state="destroyed")
    state: State = "good" if found.root == root else "under another root key"
    return Entry(
        dataset=dataset, part=part, zone=zone, state=state, root=found.under, key_id=found.id.hex(), made=found.made
    )
