"""One part of the raw zone: its segments, its key, and the order in which they end, with a receipt that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault import durable, elsewhere, receipts
from sfumato.vault.keystore import MEMORY
from sfumato.vault.manifest import Manifest
from sfumato.vault.segments import describe, describe_unopened, segment_paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.keystore import EpochKey, EpochKeys


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RawZone(Private):
    """The sealed conversations of one dataset and part (an epoch under one way of extracting it).

    folder: where their segments lie, or the notes of those in `store`. receipts: where receipts go, signed by `sign`.
    """

    dataset: str
    part: str
    folder: Path
    keys: EpochKeys
    receipts: Path
    sign: Callable[[bytes], bytes]
    store: SegmentStore | None = None

    def key(self) -> EpochKey | None:
        """The key that opens them, or None where it is destroyed or was never made."""
        try:
            return self.keys.open(self.dataset, self.part, "raw")
        except KeyMissing:
            return None

    def custody(self) -> Literal["stored", "memory"]:
        """Where the key is."""
        return "memory" if self.keys.custody(self.dataset, self.part, "raw") == MEMORY else "stored"

    def lost(self) -> bool:
        """Clear what nobody can open: the key was in the memory of a process that ended. Whether there was any.

        Raises:
            StorageError: something can't be removed.
        """
        if not self.keys.memory_only or self.key() is not None or not self.segments():
            return False
        self.clear()
        return True

    def clear(self) -> None:
        """Remove every segment, wherever it lies, and what is noted of it; for those whose key is gone.

        Raises:
            StorageError: something can't be removed.
        """
        for segment in self.segments():
            if segment.suffix == elsewhere.REF:
                elsewhere.retire(segment)
        elsewhere.clear(self.folder, self.store)
        Manifest(self.folder).clear()

    def why_closed(self) -> str:
        """Why the segments here can't be opened."""
        if self.keys.memory_only:
            return "the key was in the memory of a process that ended, and the text is lost: ingest it again"
        return "the key of the sealed conversations is destroyed"

    def segments(self) -> list[Path]:
        """Segments on the disk, and notes of those elsewhere."""
        return segment_paths(self.folder)

    def retire(self, segment: Path, key: EpochKey) -> None:
        """Delete a segment's ciphertext, once what the receipt will say of it is on the disk.

        Elsewhere it is deleted at the end: a store that does not answer must not keep a key from being destroyed.
        """
        try:
            told = describe(segment, key)
        except VaultError:  # altered: it is told by its hash alone, and keeps no key alive
            told = describe_unopened(segment)
        Manifest(self.folder).add(told)
        if segment.suffix == elsewhere.REF:
            elsewhere.retire(segment)
        else:
            durable.remove([segment], inside=self.folder)

    def discard(self, key: EpochKey, *, policy: str, ingested: str, destroyed: str) -> str | None:
        """Retire what is left, note what is about to be destroyed, destroy it, sign the receipt. The receipt's id."""
        for segment in self.segments():
            self.retire(segment, key)
        manifest = Manifest(self.folder)
        proves, does_not_prove = receipts.wording(self.keys.custody(self.dataset, self.part, "raw"))
        does_not_prove += receipts.kept_in(elsewhere.stores(self.folder))
        does_not_prove += receipts.unopened(manifest.segments())
        manifest.intend(
            receipts.Receipt(
                dataset=self.dataset,
                epoch=self.part,
                policy=policy,
                key_id=key.id.hex(),
                key_fingerprint=key.fingerprint(),
                ingested=ingested,
                destroyed=destroyed,
                segments=manifest.segments(),
                proves=proves,
                does_not_prove=does_not_prove,
            )
        )
        self.keys.destroy(self.dataset, self.part, "raw")
        return self.finish()

    def finish(self) -> str | None:
        """Sign the receipt of a key that is gone, also after a crash between the two; None if there is none to sign."""
        manifest = Manifest(self.folder)
        receipt = manifest.intended()
        if receipt is None or self.key() is not None:
            return None
        self.keys.destroy(self.dataset, self.part, "raw")  # a destruction cut short left zeros, or a temporary file
        written = receipts.write(self.receipts, receipt, sign=self.sign)
        elsewhere.clear(self.folder, self.store)
        manifest.clear()
        return written.stem
