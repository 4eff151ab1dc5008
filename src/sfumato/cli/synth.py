"""synth: write a labelled synthetic corpus, for trying things out without anybody's data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import possible


def synth(
    conversations: Annotated[int, typer.Option("--conversations", min=1, metavar="N")] = 20_000,
    users: Annotated[int, typer.Option("--users", min=1, metavar="M")] = 8_000,
    seed: Annotated[int, typer.Option("--seed", metavar="S")] = 0,
    chatter: Annotated[
        float,
        typer.Option(
            "--chatter", min=0, max=1, metavar="SHARE", help="Of greetings, thanks and circumstances around a request."
        ),
    ] = 1.0,
    topics: Annotated[
        int | None, typer.Option("--topics", min=1, metavar="N", help="Only the N most asked ones of the tree.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="CODE", help="Only this one; again for more.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Left out: standard output.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON (needs --out).")] = False,
) -> None:
    """Write synthetic conversations as JSON Lines, with the topic that each is about."""
    from sfumato.evaluate.synth import write_jsonl
    from sfumato.evaluate.synth_tree import mix

    with possible():
        write_jsonl(
            out or sys.stdout,
            conversations=conversations,
            users=users,
            seed=seed,
            chatter=chatter,
            of=mix(topics=topics, languages=language or None),
        )
    if out is None:
        return
    if json:
        printing.result({"out": str(out), "conversations": conversations, "users": users, "seed": seed})
    else:
        printing.note(f"{conversations} synthetic conversations of {users} users written to {out}")
