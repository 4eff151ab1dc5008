"""evaluate auditor, cost: how good the auditor is on labelled strings, and what reading costs; the group's home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import accuracy, printing
from sfumato.cli.options import Json, PolicyArgument

group = typer.Typer(name="evaluate", help="Measure sfumato on labelled, non-sensitive data.", no_args_is_help=True)


for command in (accuracy.topics, accuracy.reconstruction, accuracy.counts, accuracy.curves):
    group.command()(command)


@group.command()
def cost(
    policy: PolicyArgument,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample", metavar="INPUT", help="A log whose first conversations are averaged; else 1,000 tokens each."
        ),
    ] = None,
    let_through: Annotated[
        float,
        typer.Option("--let-through", min=0, max=1, help="Share of conversations that the screener lets through."),
    ] = 1.0,
    json: Json = False,
) -> None:
    """Estimate tokens and dollars of extraction per 100,000 conversations, beside Clio's; asks no model."""
    from sfumato import wiring

    found = wiring.cost(policy, sample=sample, let_through=let_through)
    if json:
        printing.result(found)
        return
    from rich.table import Column, Table

    table = Table(Column("per 100,000 conversations"), Column("", justify="right"), box=None)
    for name, value in found.items():
        if isinstance(value, int | float):
            table.add_row(name.replace("_", " "), f"{value:,}")
    clio = found["clio"]
    if isinstance(clio, dict):
        table.add_row("Clio, one facet, as published (usd)", f"{clio['usd']:,}")
    printing.drawn(f"{found['assumed']}; names and audits are not counted", table)
    if found["usd"] is None:
        printing.note("the price of this model is not known")


@group.command()
def auditor(
    rubric: Annotated[
        str, typer.Option("--rubric", metavar="R", help="A rubric's file, or the name of a built-in one.")
    ] = "audit/no_individuals.yaml",
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Sentences with spans (JSON Lines), or the folder of data.jsonl."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="P", help="Its rubric, and the model that it names as auditor, asked too."),
    ] = None,
    each: Annotated[int, typer.Option("--each", min=1, help="Strings in each half of a generated set.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the generated sets.")] = 0,
    json: Json = False,
) -> None:
    """Count what the auditor misses (fnr) and wrongly denies (fpr), by layer, with 95 % intervals.

    Detectors alone, unless a policy names a model: then also the model alone, and both.
    """
    from contextlib import ExitStack

    from sfumato import wiring
    from sfumato.evaluate import auditor as measured
    from sfumato.evaluate import auditor_cases, auditor_presidio
    from sfumato.gate.rubric import load

    sets = auditor_cases.sets(seed, each=each) + (() if data is None else auditor_presidio.read(data))
    with ExitStack() as stack:
        layers = measured.layers(load(rubric)) if policy is None else wiring.auditor_layers(policy, stack)
        result = measured.evaluate(sets, layers)
    if json:
        printing.result(result)
        return
    from rich.table import Column, Table

    heads = ("set", "unsafe", "missed", "95 %", "safe", "denied", "95 % ")
    table = Table(*(Column(head, no_wrap=True) for head in heads), box=None, pad_edge=False)
    for row in measured.rows(result):
        table.add_row(*row)
    printing.drawn(f"rubric {rubric if policy is None else 'of ' + policy}; layers: {', '.join(layers)}", table)
