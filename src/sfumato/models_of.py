"""Which models a policy brings into a release: who writes its names, and who judges its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.asking import OnceGone, probe
from sfumato.gate.auditor import Auditor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from sfumato.extraction import Models
    from sfumato.gate.rubric import Rubric
    from sfumato.model.prompt import Model
    from sfumato.model.release import Role
    from sfumato.policy.schema import Policy


def check(models: Models, policy: Policy) -> None:
    """Open every model that the policy names, and ask none.

    Raises:
        Refused: the policy does not let it be asked from here. ModelUnavailable: there is no key.
    """
    for role in _named(policy):
        with models.open(role):
            pass


def writers(models: Models, policy: Policy, rubric: Rubric | None, stack: ExitStack) -> tuple[Model | None, Auditor]:
    """Who writes names (None: nobody, they are made of phrases) and who judges them.

    Each model is asked one question about nothing first, and stays open as long as `stack`.

    Raises:
        ModelUnavailable: one of them can't be used. Refused: the policy does not let it be asked.
    """
    opened: dict[Role, Model] = {}
    for role in _named(policy):
        if role != "extraction":
            opened[role] = OnceGone(stack.enter_context(models.open(role)))
            probe(opened[role])
    section = policy.auditor
    auditor = Auditor(rubric, model=opened.get("auditor"), minimum=section.minimum, on_denial=section.on_denial)
    return opened.get("naming"), auditor


def _named(policy: Policy) -> Iterator[Role]:
    asked: tuple[tuple[Role, str], ...] = (
        ("extraction", policy.extraction.provider),
        ("naming", policy.naming.provider),
        ("auditor", policy.auditor.provider),
    )
    return (role for role, provider in asked if provider == "anthropic")
