"""The policy in force, for those whom it lets read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter  # noqa: TC002 - a router is made of it

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.serve.reading import Reading


def router(reading: Reading, policy_view: Mapping[str, object]) -> APIRouter:
    """`/v1/policy`. policy_view: the policy's public parts as JSON values."""
    found = reading.router("/v1/policy", "policy")

    @found.get("")
    def policy() -> dict[str, object]:
        """The policy in force."""
        return dict(policy_view)

    return found
