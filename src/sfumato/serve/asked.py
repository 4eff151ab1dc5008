"""What a decision may know of its request without any route handing it on: where from, and which release."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sfumato.model.document import RELEASE_ID

if TYPE_CHECKING:
    from starlette.types import Scope

    from sfumato.serve.access import Decision


_RELEASE = re.compile(rf"/v1/releases/({RELEASE_ID})(?:/|$)")


class Asked:
    """One request. `outcome` is what was decided, once it was, for those who count and log."""

    __slots__ = ("_scope", "operation", "outcome")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.operation: str | None = None
        self.outcome: Decision | None = None

    @property
    def address(self) -> str | None:
        """Of the peer, or of the one that a trusted proxy names."""
        client = self._scope.get("client")
        return client[0] if client else None

    @property
    def release(self) -> str | None:
        """The release that the address names, where it is formed like one."""
        found = _RELEASE.match(self._scope["path"])
        return found[1] if found else None

    @property
    def route(self) -> str:
        """The route's template; `held` where a held page was answered without it, `none` where there is none."""
        path = getattr(self._scope.get("route"), "path", None)
        if isinstance(path, str) and path:
            return path
        return "none" if self.outcome is None else "held"


CURRENT: ContextVar[Asked | None] = ContextVar("sfumato_asked", default=None)
