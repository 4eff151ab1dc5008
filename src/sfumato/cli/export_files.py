"""A release as files for other tools: Parquet, CSV and the signed JSON, none of them without its guarantee."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sfumato.errors import InputError, StorageError
from sfumato.model.document import decode
from sfumato.model.strict_json import Json, dumps
from sfumato.serve.tables import TABLES, as_csv, as_parquet, guarantee_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Format = Literal["parquet", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(document: Mapping[str, Json], directory: Path, formats: Collection[str] = FORMATS) -> list[Path]:
    """Write a signed release document as topics and facets (Parquet, CSV) and as itself (JSON). Returns the files.

    CSV has no place for the guarantee, so GUARANTEE.txt lies beside it. A cell that a spreadsheet would take for a
    formula gets an apostrophe in front. A file of the same name is replaced whole or not at all.

    Raises:
        InputError: the document is not a release, or a format is unknown.
        StorageError: the directory can't be written.
    """
    unknown = set(formats) - set(FORMATS)
    if unknown or not formats:
        raise InputError(f"a release is exported as one or more of {', '.join(FORMATS)}")
    release = decode(document)
    contents: dict[str, bytes] = {}
    if "parquet" in formats:
        contents |= {f"{table}.parquet": as_parquet(table, release, document) for table in TABLES}
    if "csv" in formats:
        contents |= {f"{table}.csv": as_csv(table, release) for table in TABLES}
        contents["GUARANTEE.txt"] = (guarantee_line(release) + "\n").encode()
    if "json" in formats:
        contents["release.json"] = dumps(dict(document))
    return write(directory, contents)


def write(directory: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files, each whole or not at all.

    Raises:
        StorageError: the directory can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(directory / name)
            finally:
                Path(temporary).unlink(missing_ok=True)
    except OSError as problem:
        raise StorageError(f"can't export ({problem.strerror}); give a directory that can be written") from None
    return [directory / name for name in contents]
