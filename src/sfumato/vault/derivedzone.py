"""One part of the derived zone past its limit: its key destroyed, its files unlinked, with a receipt that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing
from sfumato.model.private import Private
from sfumato.vault import container, durable, receipts
from sfumato.vault.derived import SUFFIX
from sfumato.vault.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sfumato.vault.keystore import EpochKeys


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DerivedZone(Private):
    """The sealed extracts of one dataset and part, and the journals of models beside them.

    folder: where they lie. receipts: where receipts go, signed by `sign`.
    """

    dataset: str
    part: str
    folder: Path
    keys: EpochKeys
    receipts: Path
    sign: Callable[[bytes], bytes]

    def discard(self, *, policy: str, began: str, destroyed: str) -> str | None:
        """Note what is about to be destroyed, destroy it, sign the receipt. The receipt's id.

        The files are told by the hash of their ciphertext: that one was altered keeps none of them alive. What they
        hold is not counted, which would take opening them.

        Raises:
            VaultError, StorageError: the key can't be read, a file can't be written or removed.
        """
        key = self.keys.open(self.dataset, self.part, "derived")
        proves, does_not_prove = receipts.wording(self.keys.custody(self.dataset, self.part, "derived"), zone="derived")
        files = sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []
        found = receipts.Receipt(
            dataset=self.dataset,
            epoch=self.part,
            zone="derived",
            policy=policy,
            key_id=key.id.hex(),
            key_fingerprint=key.fingerprint(),
            ingested=began,
            destroyed=destroyed,
            segments=tuple(
                receipts.SealedSegment(name=path.stem, records=0, sha256=container.digest(path)) for path in files
            ),
            proves=proves,
            does_not_prove=does_not_prove,
        )
        durable.directory(self.folder)
        Manifest(self.folder).intend(found)
        self.keys.destroy(self.dataset, self.part, "derived")
        return self.finish()

    def finish(self) -> str | None:
        """Sign the receipt of a key that is gone, also after a crash between the two; None if there is none to sign."""
        manifest = Manifest(self.folder)
        noted = manifest.intended()
        if noted is None or self._held():
            return None
        self.keys.destroy(self.dataset, self.part, "derived")  # a destruction cut short left zeros
        written = receipts.write(self.receipts, noted, sign=self.sign)
        manifest.clear()
        return written.stem

    def _held(self) -> bool:
        try:
            self.keys.open(self.dataset, self.part, "derived")
        except KeyMissing:
            return False
        return True
