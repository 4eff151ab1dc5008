"""Which raw segments were extracted and deleted under a key: what its receipt will say, kept over crashes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from sfumato.vault import durable
from sfumato.vault.receipts import Receipt, SealedSegment, canonical

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.vault.segments import Segment

NAME = "extracted.jsonl"
INTENT = "discard.json"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Manifest:
    """Append-only lines of name, count and SHA-256 of ciphertext; a segment described twice counts once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._intent = directory / INTENT

    def add(self, segment: Segment) -> None:
        """Note a segment, on the disk before this returns. Call it before the segment's ciphertext is deleted.

        Raises:
            StorageError: it could not be written.
        """
        line = json.dumps({"name": segment.name, "records": segment.records, "sha256": segment.sha256}) + "\n"
        with durable.storage(self._path):
            descriptor = os.open(self._path, APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            durable.sync(self._path.parent)

    def segments(self) -> tuple[SealedSegment, ...]:
        """Every segment noted, by name. A last line that a crash cut short is of a segment that is still there."""
        found: dict[str, SealedSegment] = {}
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            try:
                segment = SealedSegment(**json.loads(line))
            except ValueError:
                continue
            found[segment.name] = segment
        return tuple(found[name] for name in sorted(found))

    def intend(self, receipt: Receipt) -> None:
        """Note the receipt to be, before its key is destroyed: afterwards nobody could write it.

        Raises:
            StorageError: it could not be written.
        """
        durable.write(self._intent, [canonical(receipt)])

    def intended(self) -> Receipt | None:
        """The receipt that was noted, if one was. It counts once the key is gone."""
        if not self._intent.exists():
            return None
        with durable.storage(self._intent):
            document = json.loads(self._intent.read_bytes())
        document.pop("totals")
        segments = tuple(SealedSegment(**item) for item in document.pop("segments"))
        return Receipt(**document, segments=segments)

    def clear(self) -> None:
        """Remove all that lies here, the intent last: what it speaks of must not be left to a later key's receipt.

        Raises:
            StorageError: something can't be removed; the intent is still there.
        """
        folder = self._intent.parent
        durable.remove([path for path in folder.iterdir() if path != self._intent], inside=folder)
        durable.remove([self._intent], inside=folder)
