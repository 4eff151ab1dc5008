"""An answer that may be kept: tagged, confirmed by 304 to who holds it, private to the key that asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Header, Response

if TYPE_CHECKING:
    from sfumato.serve.shelf import Page

FOREVER = "private, immutable"
ASK_AGAIN = "private, no-cache"
TAGS_READ = 1000  # letters
IfNoneMatch = Annotated[str | None, Header(max_length=TAGS_READ)]
_TAG = {"ETag": {"description": "Names these bytes; send it back as If-None-Match.", "schema": {"type": "string"}}}
UNCHANGED: dict[int | str, dict[str, object]] = {
    304: {"description": "The caller's copy is the answer.", "headers": _TAG}
}


def headers(etag: str, *, caching: str) -> dict[str, str]:
    """Of both the answer and its confirmation."""
    return {"ETag": etag, "Cache-Control": caching, "Vary": "Authorization"}


def known(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller holds this already (RFC 9110, 13.1.2: weak comparison, `*` is any)."""
    if not if_none_match:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in {"*", etag} for tag in tags)


def answer(page: Page, if_none_match: str | None, *, caching: str = ASK_AGAIN) -> Response:
    """The page, or 304. Views are asked for again each time: an upgrade may show more of the same release."""
    if known(if_none_match, page.etag):
        return Response(status_code=304, headers=headers(page.etag, caching=caching))
    return Response(page.body, media_type="application/json", headers=headers(page.etag, caching=caching))
