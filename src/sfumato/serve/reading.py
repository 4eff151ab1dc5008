"""What every route over releases needs: the parameters by name, one release or 404, and the shelf of views."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Security

from sfumato.model.document import RELEASE_ID, TOPIC_ID
from sfumato.serve import problems
from sfumato.serve.declared import only_declared
from sfumato.serve.requires import Requires
from sfumato.serve.shelf import Page, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from sfumato.policy.schema import Operation
    from sfumato.serve.ports import Gatekeeper, Releases
    from sfumato.serve.store import Stored

ReleaseId = Annotated[str, Path(pattern=f"^{RELEASE_ID}$")]
TopicId = Annotated[str, Path(pattern=f"^{TOPIC_ID}$")]
FacetName = Annotated[str, Path(min_length=1, max_length=64)]
Dataset = Annotated[str, Query(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Epoch = Annotated[str, Query(pattern="^[0-9]{4}(-[0-9]{2}|-[0-9]{2}-[0-9]{2}|-W[0-9]{2}|-Q[1-4])?$")]
DENIED = problems.responses(401, 403, 422, 429, 500, 503)
ABSENT = problems.responses(404)
BODY = problems.responses(404, 413, 415)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where releases lie, who may read them, and the views that were made."""

    store: Releases
    access: Gatekeeper
    shelf: Shelf = field(default_factory=Shelf)

    def router(self, prefix: str, operation: Operation = "releases") -> APIRouter:
        """A router whose every route requires the operation."""
        requires = [Security(Requires(self.access, operation)), Depends(only_declared)]
        return APIRouter(prefix=prefix, tags=[operation], dependencies=requires, responses=DENIED)

    def found(self, release_id: str) -> Stored:
        """The release.

        Raises:
            HTTPException: 404.
        """
        stored = self.store.get(release_id)
        if stored is None:
            raise HTTPException(404)
        return stored

    def page(self, release_id: str, view: str, make: Callable[[Stored], BaseModel | None]) -> Page:
        """A view of the release, made once. The release is looked up each time: it may have been withdrawn.

        Raises:
            HTTPException: 404 where there is no such release, or `make` finds nothing.
        """
        stored = self.found(release_id)

        def made() -> Page:
            shape = make(stored)
            if shape is None:
                raise HTTPException(404)
            return Page.of(shape)

        return self.shelf.page(release_id, view, made)
