"""The door: the only maker of a `Release`. It takes only real noise, applies thresholds, and audits each string."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.errors import Refused
from sfumato.gate import detectors
from sfumato.model.document import identified
from sfumato.model.release import Estimate, FacetCount, PhraseCount, Release, Topic, Verdict
from sfumato.policy import decide
from sfumato.privacy.noise import OpenDPNoise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfumato.model.guarantee import Guarantee
    from sfumato.policy.schema import Thresholds
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.tree import Measured, TopicNode, TopicTree

Z95 = 1.959964
UNNAMED = "unnamed topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands over a release. All of it is public."""

    dataset: str
    epoch: str
    created: str
    policy_name: str
    policy_digest: str


class Door:
    """Thresholds and audit for one release; remembers every verdict, never the string it was about."""

    def __init__(self, *, limits: Thresholds, domains: Mapping[str, Sequence[str]]) -> None:
        self._limits = limits
        self._domains = domains
        self._verdicts: list[Verdict] = []

    def release(self, tree: TopicTree, *, header: Header, guarantee: Guarantee, measurer: Measurer) -> Release:
        """The release of a measured tree.

        Raises:
            Refused: the numbers were not drawn by OpenDP, or the card does not account for what was measured.
        """
        if type(measurer.noise) is not OpenDPNoise:
            raise Refused("only measurements with OpenDP's noise can be released")
        if list(guarantee.mechanisms) != measurer.mechanisms:
            raise Refused("the guarantee card does not list the measurements that were made")
        topics = self._topics(tree.topics)
        return identified(
            Release(
                id="",
                dataset=header.dataset,
                epoch=header.epoch,
                created=header.created,
                policy_name=header.policy_name,
                policy_digest=header.policy_digest,
                guarantee=guarantee,
                users=estimate(tree.users),
                conversations=estimate(tree.conversations),
                facets=self._facets(tree.facets),
                topics=topics,
                audit=tuple(self._verdicts),
            )
        )

    def _topics(self, nodes: Sequence[TopicNode]) -> tuple[Topic, ...]:
        """Topics that pass; a child of a suppressed topic moves up to the nearest one that is shown."""
        above = {node.id: node.parent for node in nodes}
        shown = {node.id for node in nodes if self._passes(node)}

        def visible(parent: str | None) -> str | None:
            while parent is not None and parent not in shown:
                parent = above[parent]
            return parent

        return tuple(replace(self._topic(node), parent=visible(node.parent)) for node in nodes if node.id in shown)

    def _passes(self, node: TopicNode) -> bool:
        found = decide.release_topic(self._limits, users=node.users.value, conversations=node.conversations.value)
        if not found.allowed:
            self._verdicts.append(Verdict(subject=f"topic {node.id}", rule=found.rule, allowed=False))
        return found.allowed

    def _topic(self, node: TopicNode) -> Topic:
        phrases = self._phrases(node)
        coarser = phrases[0].text if phrases else UNNAMED  # audited itself
        name = self._audited(node.name, f"topic {node.id} name") or coarser
        return Topic(
            id=node.id,
            parent=node.parent,
            level=node.level,
            name=name,
            description=self._audited(node.description, f"topic {node.id} description") or "",
            phrases=phrases,
            users=estimate(node.users),
            conversations=estimate(node.conversations),
            facets=self._facets(node.facets),
            x=node.x,
            y=node.y,
        )

    def _phrases(self, node: TopicNode) -> tuple[PhraseCount, ...]:
        """Audited phrases; a noisy count under the threshold is withheld, the phrase itself was selected privately."""
        kept: list[PhraseCount] = []
        for place, phrase in enumerate(node.phrases):
            if self._audited(phrase.text, f"topic {node.id} phrase {place}") is not None:
                kept.append(PhraseCount(text=phrase.text, users=self._shown(phrase.users)))
        return tuple(kept)

    def _shown(self, cell: Measured | None) -> Estimate | None:
        if cell is None or not decide.release_cell(self._limits, users=cell.value, sigma=cell.sigma).allowed:
            return None
        return estimate(cell)

    def _facets(self, facets: Mapping[str, Sequence[Measured]]) -> dict[str, tuple[FacetCount, ...]]:
        """Every value of each domain, in its order; a cell under the threshold has no number."""
        return {
            name: tuple(
                FacetCount(value=value, users=self._shown(cell))
                for value, cell in zip(self._domains[name], cells, strict=True)
            )
            for name, cells in facets.items()
        }

    def _audited(self, text: str, subject: str) -> str | None:
        """The string, or None where a rule forbids it; a denial is recorded."""
        rule = detectors.judge(text)
        if rule is None:
            return text
        self._verdicts.append(Verdict(subject=subject, rule=rule, allowed=False))
        return None


def estimate(measured: Measured) -> Estimate:
    """A noisy number as whole people with the 95 % interval of its Gaussian noise, both cut at zero."""
    value, reach = max(measured.value, 0.0), Z95 * measured.sigma
    return Estimate(value=round(value), low=max(round(measured.value - reach), 0), high=max(round(value + reach), 0))
