"""dev model-server: a stand-in for a model's endpoint, to try the model path without a key and to test what fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json

group = typer.Typer(name="dev", help="Tools for those who try or test sfumato.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Keeps `model-server` a subcommand while it is the only one."""


@group.command("model-server")
def model_server(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option("--host", help="127.0.0.1; any other is refused.")] = "127.0.0.1",
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="YAML or JSON: which calls go wrong, and how.")
    ] = None,
    fail: Annotated[
        float, typer.Option("--fail", min=0, max=1, help="Share of calls that fail, in every way it knows.")
    ] = 0.0,
    obey: Annotated[
        bool, typer.Option("--obey", help="Be gullible: obey `SFUMATO-OBEY: words` in what is to be judged.")
    ] = False,
    guess: Annotated[
        bool, typer.Option("--guess", help="Where no word of a conversation decides, guess: no more `no` and `none`.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the draws; default: the rules file's, else 0.")] = None,
    latency: Annotated[
        float, typer.Option("--latency", min=0, max=3600, metavar="S", help="Seconds before every answer.")
    ] = 0.0,
    batch_seconds: Annotated[
        float, typer.Option("--batch-seconds", min=0, max=86400, metavar="S", help="How long a batch takes.")
    ] = 1.0,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Keep counts and batches over a restart; the file holds the answers of batches.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Answer like the Messages and Message Batches endpoints, without a model, on 127.0.0.1 only."""
    from sfumato.standin import faults, rules_file, server

    script = rules_file.load(rules) if rules else faults.Rules()
    if seed is not None:
        script = script.model_copy(update={"seed": seed})
    if guess:
        script = script.model_copy(update={"guess": True})
    script = script.also(*([faults.failing(fail)] if fail else []), *([faults.gullible()] if obey else []))

    def ready(url: str) -> None:
        if json:
            printing.result({"base_url": url, "pid": os.getpid()})
        else:
            typer.echo(url)
        sys.stdout.flush()
        printing.note("sfumato: model-server started")

    with server.opened(script, batch_seconds=batch_seconds, state=state) as desk:
        server.serve(desk, host=host, port=port, latency=latency, ready=ready)
        printing.note(f"sfumato: model-server stopped after {desk.counters.asked.total()} calls")
