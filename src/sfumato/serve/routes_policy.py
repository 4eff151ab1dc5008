"""The policy in force, as it stands and in plain words, for those whom it lets read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter  # noqa: TC002 - a router is made of it

from sfumato.serve import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sfumato.policy.explain import Section
    from sfumato.serve.reading import Reading

    Explain = Callable[[], tuple[str, Sequence[Section]]]
    """The digest of the policy in force, and what it says in plain words."""


def router(reading: Reading, policy_view: Mapping[str, object]) -> APIRouter:
    """`/v1/policy`. policy_view: the policy's public parts as JSON values."""
    found = reading.router("/v1/policy", "policy")

    @found.get("")
    def policy() -> dict[str, object]:
        """The policy in force."""
        return dict(policy_view)

    return found


def explaining(reading: Reading, explain: Explain) -> APIRouter:
    """`/v1/policy/explanation`."""
    found = reading.router("/v1/policy/explanation", "policy")

    @found.get("")
    def explanation() -> wire.ExplanationShape:
        """What may be learned, by whom, at what cost, how exact it will be: the policy in force in plain words."""
        digest, sections = explain()
        return wire.ExplanationShape(
            digest=digest, sections=[wire.SectionShape(title=one.title, lines=list(one.lines)) for one in sections]
        )

    return found
