"""Assembles the commands and turns every failure into one line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import (
    attack,
    audit,
    bench,
    db,
    dev,
    discard,
    evaluate,
    forget,
    keys,
    ledger,
    mcp,
    pipeline,
    policy,
    releases,
    serve,
    synth,
    taxonomy,
    worker,
)
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from types import TracebackType

app = typer.Typer(
    name="sfumato",
    help="A privacy gateway: logs of AI conversations in, differentially private topics out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"sfumato {version('sfumato')}")
        raise typer.Exit


@app.callback()
def _sfumato(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Keeps the options that belong to no command."""


for command in (pipeline.run, pipeline.ingest, pipeline.extract, pipeline.release, releases.show, releases.export):
    app.command()(command)
app.command()(serve.serve)
app.command()(worker.worker)
app.command()(mcp.mcp)
app.command()(synth.synth)
app.command()(bench.bench)
app.command()(discard.sweep)
app.command()(forget.forget)
for group in (
    policy.group, ledger.group, keys.group, discard.group, audit.group, evaluate.group, attack.group, taxonomy.group,
    db.group, dev.group,
):  # fmt: skip
    app.add_typer(group)

INTERRUPTED = 130
DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
}


def main() -> None:
    """Run the command line and exit: 0 done, 1 our error, 2 usage, 3 refused by policy, 4 budget exhausted."""
    try:
        app()
    except SfumatoError as problem:
        _fail(str(problem), problem.exit_code)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader has gone; say nothing at exit either
        sys.exit(1)
    except KeyboardInterrupt:
        _fail("interrupted; what was accepted is kept, run again to go on", INTERRUPTED)
    except OSError as problem:
        _fail(DISK.get(problem.errno or 0, f"the system refused: {problem.strerror}"), 1)
    except MemoryError:
        _fail("out of memory; nothing was published", 1)
    except Exception as problem:  # noqa: BLE001 - an unknown exception's message could hold user text: show where, not what
        _fail(f"internal error ({type(problem).__name__} at {_place(problem.__traceback__)}); please report it", 1)


def _fail(line: str, code: int) -> None:
    sys.stderr.write(f"sfumato: {line}\n")
    sys.exit(code)


def _place(trace: TracebackType | None) -> str:
    """The innermost frame of ours: file and line, no values."""
    place = "unknown place"
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "sfumato" in path.parts:
            place = f"{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
