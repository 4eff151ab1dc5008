"""Views of releases as bytes, made once: a release never changes, so what is cut from it doesn't either."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

SHELF_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer: canonical bytes, and the tag by which a caller knows a copy of them again."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, shape: BaseModel) -> Page:
        """A view, tagged by the hash of its bytes."""
        body = shape.model_dump_json().encode()
        return cls(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Shelf:
    """Pages by release and address; the least recently read ones go when there are too many bytes."""

    def __init__(self, most: int = SHELF_BYTES) -> None:
        self._most = most
        self._held = 0
        self._pages: OrderedDict[tuple[str, str], Page] = OrderedDict()
        self._lock = threading.Lock()

    def held(self, release: str, view: str) -> Page | None:
        """A page that was made before. view: the address below the release, `` for the release itself."""
        with self._lock:
            page = self._pages.get((release, view))
            if page is not None:
                self._pages.move_to_end((release, view))
            return page

    def page(self, release: str, view: str, make: Callable[[], Page]) -> Page:
        """The page, made now if it never was. One too large for the shelf is made each time."""
        found = self.held(release, view)
        if found is not None:
            return found
        page = make()
        with self._lock:
            if len(page.body) <= self._most and (release, view) not in self._pages:
                self._pages[release, view] = page
                self._held += len(page.body)
                while self._held > self._most:
                    self._held -= len(self._pages.popitem(last=False)[1].body)
        return page
