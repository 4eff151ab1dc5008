"""Where checkpoints go so that whoever rules the data directory can't take them back: the port and two adapters."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, TypeAlias

from sfumato.audit import home
from sfumato.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Anchor: TypeAlias = "Callable[[bytes], None]"
MOST_BYTES = 1000
COMMAND_SECONDS = 60


def pin(path: Path) -> Anchor:
    """Keep the last checkpoint in a file, best on another machine's disk or one that only grows.

    Raises:
        StorageError, when called: the file can't be written.
    """
    return lambda note: home.write(path, note)


def command(words: Sequence[str]) -> Anchor:
    """Run a program with each checkpoint on its standard input: to a witness, a ticket, a printer.

    Raises:
        StorageError, when called: it can't be run, fails, or takes longer than a minute.
    """

    def run(note: bytes) -> None:
        try:
            subprocess.run(words, input=note, check=True, capture_output=True, timeout=COMMAND_SECONDS)  # noqa: S603 - the operator's own words, no shell
        except (OSError, subprocess.SubprocessError) as failure:
            kind = type(failure).__name__
            raise StorageError(f"the checkpoint is signed, but the anchor's command failed ({kind})") from None

    return run


def pinned(path: Path) -> bytes:
    """The checkpoint kept in a file.

    Raises:
        InputError: there is none.
    """
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as failure:
        raise InputError(f"{path}: the pinned checkpoint can't be read: {failure.strerror}") from None
