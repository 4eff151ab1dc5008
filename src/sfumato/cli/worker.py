"""worker: answer live questions from the extracts of a data directory, at a socket that only this user can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Key, KeyFile, PolicyArgument, TrustedKeys


def worker(
    policy: PolicyArgument,
    data: Data,
    key_file: KeyFile = None,
    key: Key = None,
    socket: Annotated[
        Path | None, typer.Option("--socket", metavar="PATH", help="Where to listen; default DIR/worker.sock.")
    ] = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
) -> None:
    """Answer live questions for `sfumato serve`. Holds the extracts' keys, no other, and opens no network."""
    from sfumato import custody, wiring

    wiring.worker(
        custody.Deployment(data=data, key_file=key_file, key=key, trusted_keys=trusted_keys, database=database),
        policy=policy,
        path=socket,
        ready=lambda where: printing.note(f"sfumato answers live questions at {where}"),
    )
