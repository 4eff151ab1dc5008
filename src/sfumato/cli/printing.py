"""What commands print: results on standard output, all else on standard error, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType


def result(value: object) -> None:
    """A JSON result, one document, one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def document(canonical: bytes) -> None:
    """A stored document, byte for byte."""
    sys.stdout.buffer.write(canonical + b"\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """One line for the operator."""
    sys.stderr.write(line + "\n")


def drawn(*parts: RenderableType) -> None:
    """Something for the eye, as wide as the terminal."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; on a pipe, nothing."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
