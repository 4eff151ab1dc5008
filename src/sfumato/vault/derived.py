"""What extraction left: one sealed file of column batches for each raw segment, replaced whole or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.conversation import PSEUDONYM_BYTES
from sfumato.model.extract import Extracts
from sfumato.model.private import Private
from sfumato.vault import container, durable
from sfumato.vault.envelope import context_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sfumato.vault.keystore import EpochKey

SUFFIX = ".drv"
PURPOSE = "derived batches"
BATCH_ROWS = 4096
SEGMENT = re.compile(r"[0-9a-f]{32}")
FACET = "facet "


class DerivedStore(Private):
    """Batches of extracts under the key of the derived zone.

    A file is named after the raw segment its rows come from and bound to that name, so extraction that is run again
    after a crash replaces rows and never doubles them. Its envelopes carry an id of their own, fresh each time.
    """

    __slots__ = ("_directory", "_key")

    def __init__(self, directory: Path, key: EpochKey) -> None:
        if key.zone != "derived":
            raise ValueError("derived batches are sealed under the key of the derived zone")
        self._directory = directory
        self._key = key

    def write(self, segment: str, batches: Iterable[Extracts]) -> None:
        """Put all the batches of one raw segment on disk; when this returns they are flushed, and only then are there.

        A batch of more than 4,096 rows is cut. They are held sealed in memory until the last one.

        Raises:
            StorageError: nothing was written; an earlier version stands.
        """
        if not SEGMENT.fullmatch(segment):
            raise ValueError("a segment's name has 32 hexadecimal digits")
        draft = container.Draft(self._key, context=self._context(segment))
        for batch in batches:
            for start in range(0, len(batch), BATCH_ROWS):
                draft.add(encode(_cut(batch, start)))
        draft.write(durable.directory(self._directory) / f"{segment}{SUFFIX}")

    def segments(self) -> set[str]:
        """The raw segments whose extracts are here."""
        return {path.stem for path in self._paths()}

    def batches(self) -> Iterator[Extracts]:
        """Every batch, segment by segment in order of name, one in memory at a time.

        Raises:
            VaultError: a file is truncated, altered, renamed or another epoch's.
            StorageError: a file can't be read.
        """
        for path in self._paths():
            for record in container.records(path, self._key, context=self._context(path.stem)):
                yield decode(record)

    def wipe(self) -> int:
        """Unlink every file, and what a killed writer left; how many. Destroy the key first: this only tidies up.

        Raises:
            StorageError: a file can't be removed.
        """
        left = self._directory.glob(f".*{durable.TEMPORARY}")
        return durable.remove([*self._paths(), *left], inside=self._directory)

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._directory.glob(f"*{SUFFIX}") if SEGMENT.fullmatch(path.stem))

    def _context(self, segment: str) -> bytes:
        return self._key.context(PURPOSE) + context_of(segment)


def encode(batch: Extracts) -> bytes:
    """The columns as an Arrow IPC stream of one record batch."""
    import pyarrow as pa

    rows, width = batch.vectors.shape
    ids = pa.binary(PSEUDONYM_BYTES)
    values = pa.array(np.ascontiguousarray(batch.vectors, np.float16).ravel())
    columns = {
        "conversation_id": pa.array(batch.conversation_ids, ids),
        "unit_id": pa.array(batch.unit_ids, ids),
        "phrases": pa.array([list(phrases) for phrases in batch.phrases], pa.list_(pa.string())),
        "vector": pa.FixedSizeListArray.from_arrays(values, width),
        **{FACET + name: pa.array(codes, pa.int16()) for name, codes in batch.facets.items()},
    }
    table = pa.record_batch(columns)
    if table.num_rows != rows:
        raise ValueError("the columns of a batch differ in length")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_batch(table)
    return bytes(sink.getvalue())


def decode(record: bytes) -> Extracts:
    """The batch that `encode` wrote."""
    import pyarrow as pa

    with pa.ipc.open_stream(record) as stream:
        table = stream.read_next_batch()
    vectors = table.column("vector")
    return Extracts(
        conversation_ids=table.column("conversation_id").to_pylist(),
        unit_ids=table.column("unit_id").to_pylist(),
        phrases=[tuple(phrases) for phrases in table.column("phrases").to_pylist()],
        facets={
            name.removeprefix(FACET): table.column(name).to_numpy().astype(np.int16)
            for name in table.schema.names
            if name.startswith(FACET)
        },
        vectors=vectors.flatten().to_numpy().reshape(table.num_rows, vectors.type.list_size),
    )


def _cut(batch: Extracts, start: int) -> Extracts:
    rows = slice(start, start + BATCH_ROWS)
    if len(batch) <= BATCH_ROWS:
        return batch
    return Extracts(
        conversation_ids=batch.conversation_ids[rows],
        unit_ids=batch.unit_ids[rows],
        phrases=batch.phrases[rows],
        facets={name: codes[rows] for name, codes in batch.facets.items()},
        vectors=batch.vectors[rows],
    )
