"""What broke off: an input not read to its end, or an extraction not ended, is not taken for the whole.

Where it broke off may be one user's doing (a long record, a question that exhausts a spend cap), and would decide who
else is counted: no bound would hold. So a marker is on the disk before either begins, and goes when it has ended.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from sfumato.errors import InputError, NothingAccepted
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFINISHED = "unfinished-"
BEGUN = "extraction-begun"
BROKEN_INPUT = "an input of this epoch broke off: ingest it again, whole, or extract with --partial"
OVERTAKEN = (
    "an extraction of this epoch broke off, and raw text that it had not read is past its limit and gone: ingest it "
    "again, or accept what there is with `sfumato extract --partial`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """The markers of one part. raw, derived: its folders; a sweep of raw data leaves what stands in the other."""

    raw: Path
    derived: Path

    @contextmanager
    def reading(self, source: str) -> Iterator[None]:
        """While an input is read; one without a usable line was read to its end all the same."""
        marker = durable.directory(self.raw) / f"{UNFINISHED}{sha256(source.encode()).hexdigest()[:16]}"
        durable.write(marker, [b""])
        try:
            yield
        except NothingAccepted:
            durable.remove([marker], inside=self.raw)
            raise
        durable.remove([marker], inside=self.raw)

    @contextmanager
    def extracting(self) -> Iterator[None]:
        """While segments are extracted."""
        durable.write(durable.directory(self.derived) / BEGUN, [b""])
        yield
        self.accept()

    def check_inputs(self) -> None:
        """Raises InputError where an input broke off."""
        if list(self.raw.glob(f"{UNFINISHED}*")):
            raise InputError(BROKEN_INPUT)

    def check_extraction(self) -> None:
        """Raises InputError where an extraction broke off and can't go on."""
        if (self.derived / BEGUN).exists():
            raise InputError(OVERTAKEN)

    def accept(self) -> None:
        """What there is, is the whole from now on."""
        if (self.derived / BEGUN).exists():
            durable.remove([self.derived / BEGUN], inside=self.derived)
