"""evaluate topics, auditor, cost: how good topics and the auditor are on labelled data, and what reading costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import InputArgument, Json, PolicyArgument

group = typer.Typer(name="evaluate", help="Measure sfumato on labelled, non-sensitive data.", no_args_is_help=True)


@group.command()
def topics(
    input: InputArgument,
    label_field: Annotated[str, typer.Option("--label-field", metavar="F", help="JSON key of the true label.")],
    policy: Annotated[str, typer.Option("--policy", metavar="P")] = "standard",
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", min=0.01, max=100, help="Instead of the policy's.")
    ] = None,
    delta: Annotated[float | None, typer.Option("--delta", min=1e-8, max=1e-3, help="Instead of the policy's.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Independent runs to average.")] = 1,
    json: Json = False,
) -> None:
    """Score released topics against true labels; the whole (epsilon, delta) pays for one release."""
    from sfumato import wiring
    from sfumato.evaluate import topics as measured

    loaded = wiring.policy(policy)
    budget = loaded.guarantee.budget
    with wiring.embedder(loaded) as embedder:
        corpus = measured.read_labelled(input, label_field=label_field, policy=loaded, embedder=embedder)
        with wiring.noise() as noise:
            result = measured.evaluate(
                corpus,
                epsilon=budget.epsilon if epsilon is None else epsilon,
                delta=budget.delta if delta is None else delta,
                seeds=seeds,
                noise=noise,
                embedder=embedder,
            )
    if json:
        printing.result(result)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in result.items():
        if name != "runs":
            table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    printing.drawn(table)


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
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the generated sets.")] = 0,
    json: Json = False,
) -> None:
    """Count what the auditor's detectors miss (fnr) and wrongly deny (fpr), with 95 % intervals; asks no model."""
    from sfumato.evaluate import auditor as measured
    from sfumato.evaluate import auditor_cases, auditor_presidio
    from sfumato.gate.rubric import load

    layers = measured.layers(load(rubric))
    sets = auditor_cases.sets(seed) + (() if data is None else auditor_presidio.read(data))
    result = measured.evaluate(sets, layers)
    if json:
        printing.result(result)
        return
    from rich.table import Column, Table

    table = Table(Column("set", no_wrap=True), "unsafe", "missed", "95 %", "safe", "denied", "95 % ", box=None)
    for row in measured.rows(result):
        table.add_row(*row)
    printing.drawn(f"rubric {rubric}; layers: {', '.join(layers)}", table)
