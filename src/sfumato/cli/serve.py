"""serve: answer people and programs from the releases of a data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Key, KeyFile, PolicyArgument, TrustedKeys


def serve(
    policy: PolicyArgument,
    data: Data,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; any but 127.0.0.1 needs TLS or a proxy that ends it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8470,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM; with --tls-key.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, PEM.")] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option("--behind-proxy", metavar="ADDRESS", help="A proxy that ends TLS: its address, or its network."),
    ] = None,
    oidc: Annotated[
        Path | None, typer.Option("--oidc", metavar="FILE", help="Whose tokens count besides API keys (YAML).")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=1, max=65535, help="Prometheus metrics, on this machine only.")
    ] = None,
    worker: Annotated[
        Path | None,
        typer.Option("--worker", metavar="SOCKET", help="Of `sfumato worker`, for live questions; DIR/worker.sock."),
    ] = None,
    sweep_every: Annotated[
        float,
        typer.Option(
            "--sweep-every", metavar="HOURS", min=0, help="Destroy what is past its limit so often; 0: never."
        ),
    ] = 0.0,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="Search topics by meaning too; needs the policy's sentence model here.")
    ] = False,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
) -> None:
    """Serve releases and the explorer. Opens the release store read-only and holds no key to any data.

    The root key is named for --sweep-every only, and opened by the sweep's own process.
    """
    from sfumato import custody, serving
    from sfumato.serve.server import Place, Tls

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key belong together: give both")
    tls = None if tls_cert is None or tls_key is None else Tls(certificate=tls_cert, key=tls_key)
    serving.serve(
        serving.Serving(
            deployment=custody.Deployment(
                data=data, key_file=key_file, key=key, trusted_keys=trusted_keys, database=database
            ),
            policy=policy,
            place=Place(host=host, port=port, tls=tls, behind_proxy=behind_proxy),
            oidc=oidc,
            metrics_port=metrics_port,
            worker=worker,
            sweep_every=sweep_every,
            semantic=semantic,
        ),
        ready=lambda url: printing.note(f"sfumato serves at {url}"),
    )
