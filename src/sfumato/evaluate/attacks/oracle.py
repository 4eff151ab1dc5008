"""The threshold as an oracle: whether what is there, in which order and how long the document is tell of one user.

The attacker knows everybody but the target, and looks at no number: only which phrases and topics stand in the release,
in which order, how many facet cells are shown, and how many bytes the document has. Accounts of their own, one too few,
bring a phrase to the threshold of its selection, or a declared topic to the policy's; the target is one more.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks import asked, crowd
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.lower_bound import best_accuracy, bounds
from sfumato.evaluate.attacks.membership import PEOPLE
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.evaluate.attacks.telling_apart import FEWEST, told_apart
from sfumato.evaluate.attacks.terms import measured, published
from sfumato.evaluate.attacks.transcript import NoNoise
from sfumato.model.document import encode
from sfumato.model.strict_json import dumps
from sfumato.policy import decide
from sfumato.topics.declared import CLEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.release import Release
    from sfumato.policy.schema import Thresholds
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.measure import Measurer
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.topics.tree import Measured, TopicTree

KNOWS = (
    "everybody but the target, exactly; whether, in which order and at what length things stand in a release; no "
    "number; accounts of their own, one too few for a threshold"
)
LURE = "lantern"
DEPTH_USERS = re.compile(r"depth \d+ users")  # measured of declared topics
WORDS = (*crowd.MIDDLING, *crowd.WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands in a release, in its order and without a number.

    size: bytes of the document. topics: level, name and phrases of each. cells: of facets by topic that are shown;
    whole: of facets overall.
    """

    size: int
    topics: tuple[tuple[int, str, tuple[str, ...]], ...]
    cells: int
    whole: int

    def form(self, words: Sequence[str]) -> NDArray[np.float64]:
        """The same as numbers, and of each word whether it is there and at which place the first time."""
        said = [text for _, name, phrases in self.topics for text in (name, *phrases)]
        counts = [self.size, len(said), self.cells, self.whole]
        levels = [sum(level == at for level, _, _ in self.topics) for at in range(3)]
        places = [said.index(word) if word in said else len(said) for word in words]
        return np.asarray([*counts, *levels, *places, *(word in said for word in words)], np.float64)


def attack(under: Terms, *, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Half of the trials without the target, half with them; half of each train the rule, the others are told by it.

    Raises:
        Refused: the policy is guarded.
    """
    under.must_be_formal()
    embedder, epochs, words = HashedEmbedder(), _epochs(under), _words(under)
    seen = []
    for epoch in epochs:
        rows = []
        for _ in range(trials // 2):
            found = published(epoch, under, noise=noise, embed=embedder.embed).release
            rows.append(_released(found).form(words))
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
            what="the same accounts, thresholds and rule on exact counts, before a document is made of them",
            success=_without_noise(epochs, under),
        ),
        details={
            **bounds(errors, delta=card.delta),
            "most_allowed": round(best_accuracy(card.epsilon, card.delta), 4),
            "live_answers": asked.form_of_answers(under.policy, noise=noise),
            "bytes": [round(float(side[:, 0].mean()), 1) for side in seen],
        },
    )


def _epochs(under: Terms) -> tuple[BoundedEpoch, BoundedEpoch]:
    """Without the target and with them: the crowd, and one account too few of the attacker's."""
    embedder, plan, domains = HashedEmbedder(), under.plan, under.domains
    people = crowd.ordinary(PEOPLE, seed=0, embedder=embedder)
    account = crowd.apart(1, phrase=LURE, embedder=embedder)
    others = [*people, *[account] * (_enough(crowd.epoch(people, plan, domains), under) - 1)]
    target = crowd.apart(plan.topics.conversations_per_user, phrase=LURE, embedder=embedder)
    return crowd.epoch(others, plan, domains), crowd.epoch([*others, target], plan, domains)


def _enough(epoch: BoundedEpoch, under: Terms) -> int:
    """Users that a phrase needs to be selected, or a declared topic to be shown, if counts are exact."""
    _, measurer = _exact(epoch, under)
    if under.plan.taxonomy is None:
        return next(one.threshold for one in measurer.mechanisms if one.threshold is not None)
    limits, users = under.policy.thresholds, [one for one in measurer.mechanisms if DEPTH_USERS.fullmatch(one.name)]
    return max(limits.min_users, limits.min_conversations, math.ceil(CLEAR * max(one.sigma for one in users)))


def _words(under: Terms) -> tuple[str, ...]:
    """What the attacker looks for: phrases that people have, or names of the declared topics that they stand for."""
    tree = under.plan.taxonomy
    if tree is None:
        return (LURE, *WORDS)
    return tuple(tree.nodes[crowd.leaf(tree, place)].name for place in range(crowd.PLACES))


def _released(release: Release) -> Standing:
    return Standing(
        size=len(dumps(encode(release))),
        topics=tuple((one.level, one.name, tuple(phrase.text for phrase in one.phrases)) for one in release.topics),
        cells=sum(cell.users is not None for one in release.topics for row in one.facets.values() for cell in row),
        whole=sum(cell.users is not None for row in release.facets.values() for cell in row),
    )


def _measured(tree: TopicTree, limits: Thresholds) -> Standing:
    """The same of what is measured, under the thresholds of the door; there is no document."""
    topics = [
        one
        for one in tree.topics
        if decide.release_topic(limits, users=one.users.value, conversations=one.conversations.value).allowed
    ]

    def shown(cells: Iterable[Measured]) -> int:
        return sum(decide.release_cell(limits, users=cell.value, sigma=cell.sigma).allowed for cell in cells)

    return Standing(
        size=0,
        topics=tuple((one.level, one.name, tuple(phrase.text for phrase in one.phrases)) for one in topics),
        cells=sum(shown(row) for one in topics for row in one.facets.values()),
        whole=sum(shown(row) for row in tree.facets.values()),
    )


def _without_noise(epochs: Sequence[BoundedEpoch], under: Terms) -> float:
    """The share told right by the same rule from exact counts: all runs of a side are alike, so one is enough."""
    limits, words = under.policy.thresholds, _words(under)
    rows = [_measured(_exact(epoch, under)[0], limits).form(words) for epoch in epochs]
    errors = told_apart(*(np.tile(row, (FEWEST, 1)) for row in rows))
    return errors.right / errors.runs


def _exact(epoch: BoundedEpoch, under: Terms) -> tuple[TopicTree, Measurer]:
    """What would be measured without noise, and what was asked for it: the door lets none of it out."""
    return measured(epoch, under, noise=NoNoise(), embed=HashedEmbedder().embed)
