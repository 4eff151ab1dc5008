"""Whether the process answers, and whether it can: the two addresses that ask for no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from sfumato.serve import problems, wire

if TYPE_CHECKING:
    from sfumato.serve.ports import Gatekeeper, Releases


def router(store: Releases, access: Gatekeeper) -> APIRouter:
    """`/healthz` and `/readyz`."""
    found = APIRouter(tags=["state"])

    @found.get("/healthz")
    def healthz() -> wire.StateShape:
        """The process answers."""
        return wire.StateShape(status="ok")

    @found.get("/readyz", responses=problems.responses(503))
    def readyz() -> wire.StateShape:
        """Releases and keys can be read."""
        store.releases()
        access.check()
        return wire.StateShape(status="ok")

    return found
