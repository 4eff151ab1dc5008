"""The explorer page, its files read once, served from the same origin as the data."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response

_FOLDER = Path(__file__).parent / "explorer"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}


def router() -> APIRouter:
    """Routes of the page. It holds no data: the key it asks for stays in the visitor's memory."""
    found = APIRouter(include_in_schema=False)
    for address, (name, media_type) in _FILES.items():
        found.add_api_route(address, _endpoint((_FOLDER / name).read_bytes(), media_type), methods=["GET", "HEAD"])
    return found


class _endpoint:  # noqa: N801 - a function with its content bound
    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._media_type = media_type

    def __call__(self) -> Response:
        return Response(self._content, media_type=self._media_type, headers={"Cache-Control": "no-cache"})
