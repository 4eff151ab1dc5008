"""A release as a file for other tools: its topics or its facets, as CSV or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

from fastapi import APIRouter, Path, Response

from sfumato.serve import tables
from sfumato.serve.reading import ABSENT, ReleaseId

if TYPE_CHECKING:
    from sfumato.serve.reading import Reading
    from sfumato.serve.tables import Table

Kind = Annotated[Literal["topics.csv", "topics.parquet", "facets.csv", "facets.parquet"], Path()]
CSV, PARQUET = "text/csv; charset=utf-8", "application/vnd.apache.parquet"
_FILES: dict[int | str, dict[str, object]] = {
    200: {
        "description": "The file. Parquet holds the guarantee in its metadata.",
        "content": {
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def router(reading: Reading) -> APIRouter:
    """`/v1/releases/{release_id}/tables/{file}`."""
    found = reading.router("/v1/releases/{release_id}/tables")

    @found.get("/{file}", response_class=Response, responses={**ABSENT, **_FILES})
    def table(release_id: ReleaseId, file: Kind) -> Response:
        """Topics, or facets of the whole and of each topic, with 95 % intervals."""
        stored = reading.found(release_id)
        name, _, form = file.partition(".")
        which = cast("Table", name)
        if form == "csv":
            return _file(tables.as_csv(which, stored.release), CSV, file)
        return _file(tables.as_parquet(which, stored.release, stored.document), PARQUET, file)

    return found


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
