"""Where things lie in a data directory: one place that knows, for those who write and those who only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one deployment under `data`. Only `releases` and `release_key` are public."""

    data: Path

    @property
    def raw(self) -> Path:
        """Sealed conversations that wait for extraction."""
        return self.data / "raw"

    @property
    def derived(self) -> Path:
        """Sealed phrases, facets and vectors that wait for a release."""
        return self.data / "derived"

    @property
    def keystore(self) -> Path:
        """Wrapped epoch keys. Keep it out of backups: what is destroyed here must be destroyed everywhere."""
        return self.data / "keystore"

    @property
    def forgotten(self) -> Path:
        """Who was forgotten, as keyed hashes. Copy it into backups: what it keeps out would come back."""
        return self.data / "forgotten"

    @property
    def ledger(self) -> Path:
        """What has been spent."""
        return self.data / "ledger.db"

    @property
    def releases(self) -> Path:
        """Signed releases, one canonical JSON file each."""
        return self.data / "releases"

    @property
    def release_key(self) -> Path:
        """The public key that signs the releases here."""
        return self.data / "release_key.pub"

    @property
    def receipts(self) -> Path:
        """Signed receipts of what was discarded."""
        return self.data / "receipts"

    @property
    def access(self) -> Path:
        """API keys, hashed."""
        return self.data / "access.db"

    @property
    def audit(self) -> Path:
        """The log of every decision, with the public keys that sign its checkpoints."""
        return self.data / "audit"
