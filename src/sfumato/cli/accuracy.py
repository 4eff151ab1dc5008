"""evaluate topics, reconstruction, counts, curves: releases of data whose truth is known, against that truth."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfumato.cli import printing
from sfumato.cli.options import InputArgument, Json

if TYPE_CHECKING:
    from sfumato.evaluate.accuracy.trial import Tools
    from sfumato.policy.schema import Policy

LabelField = Annotated[str, typer.Option("--label-field", metavar="F", help="JSON key of the true label.")]
PolicyOption = Annotated[str, typer.Option("--policy", metavar="P")]
Epsilon = Annotated[float | None, typer.Option("--epsilon", min=0.01, max=100, help="Instead of the policy's.")]
Delta = Annotated[float | None, typer.Option("--delta", min=1e-8, max=1e-3, help="Instead of the policy's.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=100, help="Independent releases to average.")]


def topics(
    input: InputArgument,
    label_field: LabelField,
    policy: PolicyOption = "standard",
    epsilon: Epsilon = None,
    delta: Delta = None,
    seeds: Seeds = 1,
    json: Json = False,
) -> None:
    """Score released topics against true labels; the whole (epsilon, delta) pays for one release."""
    from sfumato.evaluate import topics as measured
    from sfumato.evaluate.accuracy import labelled

    with ExitStack() as stack:
        loaded, tools = _tools(policy, stack)
        budget = loaded.guarantee.budget
        corpus = labelled.read(input, fields=(label_field,), policy=loaded, embedder=tools.embedder)
        result = measured.evaluate(
            corpus,
            label_field=label_field,
            epsilon=epsilon or budget.epsilon,
            delta=delta or budget.delta,
            seeds=seeds,
            tools=tools,
        )
    _shown(result, json=json, hidden={"runs"})


def reconstruction(
    policy: PolicyOption = "standard",
    epsilon: Epsilon = None,
    delta: Delta = None,
    conversations: Annotated[int, typer.Option("--conversations", metavar="N", min=1)] = 60_000,
    users: Annotated[int, typer.Option("--users", metavar="M", min=1)] = 50_000,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of the synthetic corpus.")] = 0,
    seeds: Seeds = 1,
    json: Json = False,
) -> None:
    """Reconstruct the known categories of the synthetic corpus from releases, by language, beside Clio's figures."""
    from sfumato.evaluate.accuracy import reconstruction as measured

    with ExitStack() as stack:
        loaded, tools = _tools(policy, stack)
        budget = loaded.guarantee.budget
        corpus = measured.synthetic(
            conversations=conversations, users=users, seed=seed, policy=loaded, embedder=tools.embedder
        )
        result = measured.evaluate(
            corpus, epsilon=epsilon or budget.epsilon, delta=delta or budget.delta, seeds=seeds, tools=tools
        )
    if json:
        printing.result(result)
        return
    from rich.table import Column, Table

    table = Table(Column("category", no_wrap=True), "number", "accuracy", "by language", "overlap", box=None)
    for row in measured.rows(result):
        table.add_row(*row)
    printing.drawn(f"{result['n']} conversations of {result['users']} users, epsilon {result['epsilon']:g}", table)


def counts(
    input: InputArgument,
    label_field: LabelField,
    tree_field: Annotated[
        list[str] | None, typer.Option("--tree-field", metavar="F", help="JSON key of a coarser label; again for more.")
    ] = None,
    policy: PolicyOption = "standard",
    epsilon: Annotated[
        list[float] | None,
        typer.Option("--epsilon", min=0.01, max=100, help="Again for more."),
    ] = None,
    delta: Delta = None,
    seeds: Seeds = 3,
    json: Json = False,
) -> None:
    """Error of released user counts by size of topic, cover of intervals, rare labels, stability, and the tree."""
    from sfumato.evaluate.accuracy import counting, labelled

    coarser = tuple(tree_field or ())
    with ExitStack() as stack:
        loaded, tools = _tools(policy, stack)
        corpus = labelled.read(input, fields=(label_field, *coarser), policy=loaded, embedder=tools.embedder)
        result = counting.evaluate(
            corpus,
            fields=counting.Fields(label=label_field, coarser=coarser),
            epsilons=tuple(epsilon or (loaded.guarantee.budget.epsilon,)),
            delta=delta or loaded.guarantee.budget.delta,
            seeds=seeds,
            tools=tools,
        )
    if json:
        printing.result(result)
        return
    from rich.table import Table

    table = Table("epsilon", "users of a topic", "topics", "median error", "95 % intervals hold", box=None)
    for row in counting.rows(result):
        table.add_row(*row)
    printing.drawn(table)


def curves(
    input: InputArgument,
    label_field: LabelField,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for result.json and the charts.")],
    name: Annotated[str, typer.Option("--name", help="Of the corpus, for the charts' titles.")] = "corpus",
    policy: PolicyOption = "standard",
    epsilon: Annotated[
        list[float] | None, typer.Option("--epsilon", min=0.01, max=100, help="Points of a curve; again for more.")
    ] = None,
    share: Annotated[
        list[float] | None, typer.Option("--share", min=0.01, max=1, help="Of the users, as --epsilon.")
    ] = None,
    delta: Delta = None,
    seeds: Seeds = 3,
) -> None:
    """Draw accuracy against epsilon, users and size of topic, beside DP-Lloyd and k-means without privacy, as SVG."""
    import json as encoding

    from sfumato.evaluate.accuracy import chart, labelled
    from sfumato.evaluate.accuracy import curves as measured

    usual = measured.Points()
    at = measured.Points(epsilons=tuple(epsilon or usual.epsilons), shares=tuple(share or usual.shares))
    with ExitStack() as stack:
        loaded, tools = _tools(policy, stack)
        corpus = labelled.read(input, fields=(label_field,), policy=loaded, embedder=tools.embedder)
        bar = stack.enter_context(printing.progress("points", len(at.epsilons) + len(at.shares)))
        result = measured.measured(
            corpus,
            label_field=label_field,
            at=at,
            delta=delta or loaded.guarantee.budget.delta,
            seeds=seeds,
            tools=tools,
            advance=bar.advance,
        )
    drawn = {stem: chart.svg(one) for stem, one in measured.charts(result, name=name).items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "result.json").write_text(encoding.dumps(result, indent=1, allow_nan=False) + "\n")
        for stem, text in drawn.items():
            (out / f"{stem}.svg").write_text(text)
    except OSError as error:
        from sfumato.errors import StorageError

        raise StorageError(f"can't write to {out}; check the folder and its space") from error
    printing.note(f"{len(drawn)} charts and result.json are in {out}")


def _tools(policy: str, stack: ExitStack) -> tuple[Policy, Tools]:
    """The policy, and what a release under it is made with, until the stack is closed."""
    from sfumato import wiring
    from sfumato.evaluate.accuracy.trial import Tools

    loaded = wiring.policy(policy)
    embedder = stack.enter_context(wiring.embedder(loaded))
    return loaded, Tools(noise=stack.enter_context(wiring.noise()), embedder=embedder)


def _shown(result: dict[str, Any], *, json: bool, hidden: set[str]) -> None:
    if json:
        printing.result(result)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in result.items():
        if name not in hidden:
            table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    printing.drawn(table)
