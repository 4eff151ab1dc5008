"""What commands print: results on standard output, all else on standard error, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a long step tells its watcher: units done, and the US dollars that models have cost so far."""

    advance: Callable[[int], None]
    paid: Callable[[Decimal], None]


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Bar]:
    """A bar on a terminal with rate, time left and what it costs; on a pipe, nothing."""
    if not sys.stderr.isatty():
        yield Bar(advance=lambda _count: None, paid=lambda _dollars: None)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, rate="")

        def advance(count: int) -> None:
            bar.advance(task, count)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield Bar(
            advance=advance, paid=lambda dollars: bar.update(task, description=f"{label}, {dollars:.2f} USD so far")
        )
