"""evaluate topics: accuracy of released topics against labels, on labelled, non-sensitive data."""

from __future__ import annotations

from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import InputArgument, Json

group = typer.Typer(name="evaluate", help="Measure sfumato on labelled, non-sensitive data.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Keeps `topics` a subcommand while it is the only one."""


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
