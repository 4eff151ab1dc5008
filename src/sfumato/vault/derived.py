"""What extraction left: one sealed file of column batches for each raw segment, replaced whole or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sfumato.model.conversation import PSEUDONYM_BYTES
from sfumato.model.extract import Extracts
from sfumato.model.private import Private
from sfumato.vault import container, durable, superseding
from sfumato.vault.envelope import context_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from sfumato.vault.keystore import EpochKey

SUFFIX = ".drv"
PURPOSE = "derived batches"
BATCH_ROWS = 4096
SEGMENT = re.compile(r"[0-9a-f]{32}")
FACET = "facet "
RELEVANT = "relevant"
SUMMARY = "summary"
Scalar = TypeVar("Scalar", bound=np.generic)


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
            yield from self._read(path)

    def forget(self, person: bytes) -> None:
        """Write anew every file that holds rows of this pseudonym, without them; zero and unlink the old.

        Raises:
            VaultError: as `batches`. StorageError: a file can't be written; the rows may still be there.
        """
        for path in self._paths():
            superseding.clear(path)
            if not any(person in batch.unit_ids for batch in self._read(path)):
                continue
            draft = container.Draft(self._key, context=self._context(path.stem))
            for batch in self._read(path):
                rows = [row for row, unit in enumerate(batch.unit_ids) if unit != person]
                draft.add(encode(_of(batch, rows)))
            with superseding.replacing(path):
                draft.write(path)

    def _read(self, path: Path) -> Iterator[Extracts]:
        wanted = container.Wanted(context=self._context(path.stem))
        for record in container.records(path, self._key, wanted):
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
        **{FACET + name: _codes(codes) for name, codes in batch.facets.items()},
    }
    if batch.relevant is not None:
        columns[RELEVANT] = pa.array(batch.relevant)
    if batch.summaries:
        columns[SUMMARY] = pa.array(batch.summaries, pa.string())
    table = pa.record_batch(columns)
    if table.num_rows != rows:
        raise ValueError("the columns of a batch differ in length")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_batch(table)
    return bytes(sink.getvalue())


def decode(record: bytes | bytearray) -> Extracts:
    """The batch that `encode` wrote; it keeps no view of the record."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(record)) as stream:
        table = stream.read_next_batch()
    return Extracts(
        conversation_ids=table.column("conversation_id").to_pylist(),
        unit_ids=table.column("unit_id").to_pylist(),
        phrases=[tuple(phrases) for phrases in table.column("phrases").to_pylist()],
        facets={
            name.removeprefix(FACET): _array(table.column(name), np.int16)
            for name in table.schema.names
            if name.startswith(FACET)
        },
        vectors=_array(table.column("vector"), np.float16),
        relevant=_array(table.column(RELEVANT), np.bool_) if RELEVANT in table.schema.names else None,
        summaries=table.column(SUMMARY).to_pylist() if SUMMARY in table.schema.names else (),
    )


def _codes(codes: NDArray[np.int16]) -> pa.Array:
    """One code a row, or a fixed number of them."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(codes, np.int16).ravel(), pa.int16())
    return flat if codes.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, codes.shape[1])


def _array(column: pa.Array, kind: type[Scalar]) -> NDArray[Scalar]:
    """(n,) or, of a column of lists, (n, k): a copy."""
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        return np.array(column.to_numpy(zero_copy_only=False), kind)
    return np.array(column.flatten().to_numpy(), kind).reshape(len(column), column.type.list_size)


def _cut(batch: Extracts, start: int) -> Extracts:
    rows = range(start, min(start + BATCH_ROWS, len(batch)))
    return batch if len(batch) <= BATCH_ROWS else _of(batch, rows)


def _of(batch: Extracts, rows: Sequence[int]) -> Extracts:
    """Some rows of a batch."""
    index = np.asarray(rows, np.intp)
    return Extracts(
        conversation_ids=[batch.conversation_ids[row] for row in rows],
        unit_ids=[batch.unit_ids[row] for row in rows],
        phrases=[batch.phrases[row] for row in rows],
        facets={name: codes[index] for name, codes in batch.facets.items()},
        vectors=batch.vectors[index],
        relevant=None if batch.relevant is None else batch.relevant[index],
        summaries=[batch.summaries[row] for row in rows] if batch.summaries else (),
    )
