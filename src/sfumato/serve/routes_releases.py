"""Releases: the list, newest first, page by page, and each signed document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from sfumato.errors import InputError
from sfumato.serve import cursor as cursors
from sfumato.serve import views, wire
from sfumato.serve.answers import FOREVER, UNCHANGED, IfNoneMatch, answer
from sfumato.serve.reading import ABSENT, Dataset, Epoch, ReleaseId
from sfumato.serve.shelf import Page

if TYPE_CHECKING:
    from sfumato.serve.cursor import Place
    from sfumato.serve.reading import Reading

MOST = 500
Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[str | None, Query(pattern=cursors.PATTERN)]


def router(reading: Reading) -> APIRouter:
    """`/v1/releases` and one release."""
    found = reading.router("/v1/releases")

    @found.get("", responses=ABSENT)
    def releases(
        dataset: Dataset | None = None, epoch: Epoch | None = None, limit: Limit = 100, cursor: Cursor = None
    ) -> wire.SummariesShape:
        """Releases, newest first; `next` continues after the last, with the same filters. A foreign cursor is 404."""
        start = None if cursor is None else _place(cursor)
        chosen = [
            one.release
            for one in reading.store.releases()
            if dataset in {None, one.release.dataset} and epoch in {None, one.release.epoch}
        ]
        if start is not None:
            chosen = [one for one in chosen if cursors.place_of(one) < start]
        page = chosen[:limit]
        more = cursors.after(page[-1]) if len(chosen) > limit else None
        return wire.SummariesShape(releases=[views.summary(one) for one in page], next=more)

    @found.get("/{release_id}", response_model=wire.ReleaseShape, responses={**ABSENT, **UNCHANGED})
    def release(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """The signed document, byte for byte as it was verified."""
        stored = reading.found(release_id)
        page = reading.shelf.page(release_id, "", lambda: Page(body=stored.body, etag=f'"{release_id}"'))
        return answer(page, if_none_match, caching=FOREVER)

    return found


def _place(cursor: str) -> Place:
    try:
        return cursors.read(cursor)
    except InputError:
        raise HTTPException(404) from None
