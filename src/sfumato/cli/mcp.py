"""mcp: let an agent read from a sfumato server, over the Model Context Protocol on standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mcp(
    url: Annotated[
        str,
        typer.Option("--url", metavar="URL", envvar="SFUMATO_URL", help="The sfumato server; https, or this machine."),
    ],
    release_key: Annotated[
        Path | None,
        typer.Option("--release-key", metavar="FILE", help="Public key that releases must be signed with: hex or PEM."),
    ] = None,
) -> None:
    """Serve an agent over the Model Context Protocol as a client of a sfumato server; the key is SFUMATO_API_KEY."""
    from sfumato import mcp_server

    mcp_server.serve(url, release_key=None if release_key is None else _text(release_key))


def _text(file: Path) -> str:
    from sfumato.errors import InputError

    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{file}: not a public key that can be read") from None
