"""The threshold as an oracle: whether what is there, in which order and how long the document is tell of one user.

The attacker knows everybody but the target, and looks at no number: only which phrases and topics stand in the release,
in which order, how many facet cells are shown, and how many bytes the document has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks import asked, crowd
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.lower_bound import best_accuracy, bounds
from sfumato.evaluate.attacks.membership import PEOPLE
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.evaluate.attacks.terms import published
from sfumato.model.document import encode
from sfumato.model.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.release import Release
    from sfumato.privacy.noise import OpenDPNoise

KNOWS = (
    "everybody but the target, exactly; whether, in which order and at what length things stand in a release; no number"
)
WORDS = (*crowd.MIDDLING, *crowd.WORDS)


def attack(under: Terms, *, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Half of the trials without the target, half with them; half of each train the rule, the others are told by it.

    Raises:
        Refused: the policy is guarded.
    """
    under.must_be_formal()
    embedder = HashedEmbedder()
    people = crowd.ordinary(PEOPLE, seed=0, embedder=embedder)
    target = crowd.extreme(under.plan.topics.conversations_per_user, embedder=embedder)
    seen = []
    for present in ([], [target]):
        epoch = crowd.epoch([*people, *present], under.plan, under.domains)
        rows = []
        for _ in range(trials // 2):
            found = published(epoch, under, noise=noise, embed=embedder.embed).release
            rows.append(_form(found))
            advance(1)
        seen.append(np.asarray(rows))
    errors, card = told_apart(seen[0], seen[1]), found.guarantee
    return Outcome(
        attack="oracle",
        knows=KNOWS,
        hits=errors.right,
        trials=errors.runs,
        baseline=0.5,
        epsilon=card.epsilon,
        delta=card.delta,
        mode=under.plan.mode,
        control=Control(
            what="a threshold on exact counts, one of them a user below it", success=asked.exact_threshold(under.policy)
        ),
        details={
            **bounds(errors, delta=card.delta),
            "most_allowed": round(best_accuracy(card.epsilon, card.delta), 4),
            "live_answers": asked.form_of_answers(under.policy, noise=noise),
            "bytes": [round(float(side[:, 0].mean()), 1) for side in seen],
        },
    )


def _form(release: Release) -> NDArray[np.float64]:
    """Bytes, topics by level, phrases, cells shown, which words are there, and at which place the first time."""
    shown = [phrase.text for topic in release.topics for phrase in topic.phrases]
    cells = [cell for topic in release.topics for facet in topic.facets.values() for cell in facet]
    levels = [sum(topic.level == level for topic in release.topics) for level in range(3)]
    places = [shown.index(word) if word in shown else len(shown) for word in WORDS]
    whole = [cell for facet in release.facets.values() for cell in facet]
    counts = [
        len(dumps(encode(release))),
        len(shown),
        sum(cell.users is not None for cell in cells),
        sum(cell.users is not None for cell in whole),
    ]
    return np.asarray([*counts, *levels, *places, *(word in shown for word in WORDS)], np.float64)
