"""bench: rates and growth of the main job on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json


def bench(
    largest: Annotated[
        int, typer.Option("--largest", min=4000, metavar="N", help="Records of the largest size.")
    ] = 100_000,
    ingested: Annotated[
        int, typer.Option("--ingested", min=1000, metavar="N", help="Short conversations to ingest.")
    ] = 1_000_000,
    only: Annotated[
        str | None, typer.Option("--only", metavar="SUBJECT", help="serving, live or ledger: that one and no other.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure sealing, ingest, reading by a model, topics at three sizes, serving, live questions and the ledger.

    The model is a stand-in that takes a second for an answer, 64 at a time. The vector model is left out.
    """
    from sfumato import wiring
    from sfumato.evaluate.bench import whole

    if only is not None:
        if only not in whole.GATE:
            raise typer.BadParameter("serving, live or ledger", param_hint="--only")
        figures = {only: dict(whole.GATE[only]())}
        printing.result(figures) if json else printing.drawn(*_lines(figures))
        return
    with wiring.noise() as noise, wiring.stand_in() as model, printing.progress("bench", total=whole.STEPS) as bar:
        found = whole.bench(largest=largest, ingested=ingested, noise=noise, model=model, advance=bar.advance)
    if json:
        printing.result(found)
        return
    from rich.table import Table

    table = Table("records", "seconds", "of it bounding", "leaves", "peak MB", box=None)
    for row in found["topics"]:
        table.add_row(*(str(row[name]) for name in ("records", "seconds", "bounding_seconds", "leaves", "peak_mb")))
    for name in ("seal", "open"):
        one = found["sealing"][name]
        printing.drawn(
            f"{name} 2 KB: {one['per_second']:,} a second, {one['of_bare']} of bare AES-256-GCM with a key for each "
            f"record, {one['of_bare_one_key']} of it with one key"
        )
    by_model = found["reading"]
    taken = found["ingest"]
    printing.drawn(
        f"ingest and seal: {taken['per_second']:,} short conversations a second ({taken['per_cpu_second']:,} a second "
        f"of CPU), {taken['records']:,} of them in {taken['peak_mb']} MB",
        f"read by a model: {by_model['per_second']} conversations a second, {by_model['cpu_ms']} ms of CPU for each",
        "topics:",
        table,
    )
    printing.drawn(*_lines({name: found[name] for name in whole.GATE}))
    printing.drawn(f"time grows with records to the power {found['growth']}")


def _lines(figures: dict[str, dict[str, float | None]]) -> list[str]:
    return [
        f"{subject}: " + ", ".join(f"{name} {value}" for name, value in found.items())
        for subject, found in figures.items()
    ]
