"""Membership against the whole gateway: ingest, extraction, release, signed document; the attacker sees the document.

They know everybody else. Half of the deployments hold the target, who has as many conversations as count, about all
there is; of either half, one half trains Fisher's rule on the published numbers and the other is told by it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.lower_bound import best_accuracy, bounds
from sfumato.evaluate.attacks.rehearsal import SUBJECTS, Deployment, must_ask_no_model, records
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.evaluate.attacks.terms import terms
from sfumato.model.document import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.lower_bound import Errors
    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.guarantee import Guarantee
    from sfumato.model.release import FacetCount, Release
    from sfumato.model.strict_json import JsonObject
    from sfumato.privacy.noise import OpenDPNoise

KNOWS = "every other user's conversations, exactly; the signed documents"
WEAK, CONTROL_TRIALS = 300.0, 12  # the epsilon at which the attacker must succeed, and how often it is tried
USERS = 300
LEVELS = 3


def attack(under: Terms, *, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Each trial is a deployment of its own, made and thrown away.

    Raises:
        Refused: the policy names a model.
    """
    must_ask_no_model(under.policy)
    errors, card = _told(under, trials, noise, advance)
    loud, _ = _told(terms(under.policy, epsilon=WEAK, files=under.files), CONTROL_TRIALS, noise, lambda _count: None)
    return Outcome(
        attack="membership",
        knows=KNOWS,
        hits=errors.right,
        trials=errors.runs,
        baseline=0.5,
        epsilon=card.epsilon,
        delta=card.delta,
        mode=card.mode,
        control=Control(what=f"the same deployments at an epsilon of {WEAK:g}", success=loud.right / loud.runs),
        details={
            **bounds(errors, delta=card.delta),
            "most_allowed": round(best_accuracy(card.epsilon, card.delta), 4),
            "level": "pipeline",
            "deployments": trials // 2 * 2,
        },
    )


def _told(under: Terms, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> tuple[Errors, Guarantee]:
    """How well deployments without and with the target are told apart, and what the last of them stated."""
    everybody, added = records(USERS), target(under.plan.topics.conversations_per_user)
    seen = []
    for people in (everybody, [*everybody, *added]):
        rows = []
        for _ in range(trials // 2):
            with tempfile.TemporaryDirectory() as folder:
                deployment = Deployment(data=Path(folder), noise=noise, files=under.files)
                made = decode(deployment.release(under.policy, people))
            rows.append(_numbers(made))
            advance(1)
        seen.append(np.asarray(rows))
    return told_apart(seen[0], seen[1]), made.guarantee


def target(conversations: int) -> list[JsonObject]:
    """The records of one user who asks about everything in turn."""
    return [
        {
            "conversation_id": f"t{number}",
            "user_id": "target",
            "messages": [{"role": "user", "content": f"a question about {SUBJECTS[number % len(SUBJECTS)]}"}],
        }
        for number in range(conversations)
    ]


def _numbers(release: Release) -> NDArray[np.float64]:
    """Totals, sums over each level, cells shown: numbers that every release has, whatever its topics."""
    found: list[float] = [release.users.value, release.conversations.value, *_cells(release.facets.values())]
    for level in range(LEVELS):
        topics = [topic for topic in release.topics if topic.level == level]
        found += [len(topics), sum(topic.users.value for topic in topics)]
        found += [sum(topic.conversations.value for topic in topics)]
        found += _cells(row for topic in topics for row in topic.facets.values())
    return np.asarray(found)


def _cells(rows: Iterable[tuple[FacetCount, ...]]) -> list[float]:
    """How many facet cells are shown, and their users together."""
    shown = [cell.users.value for row in rows for cell in row if cell.users is not None]
    return [len(shown), sum(shown)]
