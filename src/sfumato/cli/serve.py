"""serve: answer people and programs from the releases of a data directory."""

from __future__ import annotations

from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, PolicyArgument, TrustedKeys


def serve(
    policy: PolicyArgument,
    data: Data,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; put TLS in front of any but 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8470,
    trusted_keys: TrustedKeys = None,
) -> None:
    """Serve releases and the explorer. Opens the release store read-only and holds no key to any data."""
    from sfumato import custody, wiring

    wiring.serve(
        custody.Deployment(data=data, trusted_keys=trusted_keys),
        policy=policy,
        host=host,
        port=port,
        ready=lambda url: printing.note(f"sfumato serves at {url}"),
    )
