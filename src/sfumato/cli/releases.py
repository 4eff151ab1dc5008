"""show, export: a stored release in the terminal, or as files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Json
from sfumato.errors import InputError

if TYPE_CHECKING:
    from sfumato.serve.store import Stored

ReleaseId = Annotated[str | None, typer.Argument(metavar="RELEASE", help="Release id; left out, the newest.")]


def show(data: Data, release: ReleaseId = None, json: Json = False) -> None:
    """Draw a release in the terminal: its tree of topics and its guarantee card."""
    stored = _stored(data, release)
    if json:
        printing.document(stored.body)
    else:
        draw(stored.body)


def export(
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the files.")] = None,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="DIR", help="Folder for a page with this release in it.")
    ] = None,
    release: ReleaseId = None,
    formats: Annotated[
        str, typer.Option("--formats", help="Comma-separated: json, csv, parquet.")
    ] = "json,csv,parquet",
    json: Json = False,
) -> None:
    """Write a release as JSON, CSV and Parquet, the guarantee beside or inside each file; or as one page."""
    from sfumato.cli.export_files import FORMATS
    from sfumato.cli.export_files import export as write
    from sfumato.cli.export_site import export_site
    from sfumato.model.strict_json import loads

    if out is None and site is None:
        raise typer.BadParameter("say where to: --out DIR for files, --site DIR for a page")
    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    if not chosen or set(chosen) - set(FORMATS):
        raise typer.BadParameter(f"one or more of {', '.join(FORMATS)}", param_hint="--formats")
    stored = _stored(data, release)
    written: list[Path] = []
    if out is not None:
        written += write(loads(stored.body), out, chosen)
    if site is not None:
        written += export_site(stored.body, site)
    if json:
        printing.result([str(path) for path in written])
    else:
        for path in written:
            printing.drawn(str(path))


def draw(canonical: bytes) -> None:
    """The tree and the card of a release document."""
    from sfumato.cli.render import render_card, render_tree
    from sfumato.model.document import decode
    from sfumato.model.strict_json import loads

    release = decode(loads(canonical))
    printing.drawn(render_tree(release), "", render_card(release))


def _stored(data: Path, release: str | None) -> Stored:
    from sfumato.serve.store import ReleaseStore

    store = ReleaseStore(data)
    found = next(iter(store.releases()), None) if release is None else store.get(release)
    if found is None:
        damaged = [f"{refused.file}: {refused.reason}" for refused in store.rejected()]
        reason = f" ({'; '.join(damaged)})" if damaged else ""
        raise InputError(f"{data}: no such release here{reason}; `sfumato run` makes one")
    return found
