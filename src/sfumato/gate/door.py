"""The door: the only maker of a `Release`. It takes only real noise, applies thresholds, and audits each string."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.errors import Refused
from sfumato.gate.auditor import Auditor
from sfumato.model.document import identified
from sfumato.model.release import Estimate, FacetCount, PhraseCount, Release, Topic, Verdict
from sfumato.policy import decide
from sfumato.policy.figures import published
from sfumato.privacy.noise import OpenDPNoise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sfumato.model.guarantee import Guarantee
    from sfumato.model.release import ModelUse
    from sfumato.policy.schema import Thresholds
    from sfumato.privacy.measure import Measurer
    from sfumato.topics.tree import Measured, TopicNode, TopicTree

UNNAMED = "unnamed topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands over a release. All of it is public. models: those that took part."""

    dataset: str
    epoch: str
    created: str
    policy_name: str
    policy_digest: str
    models: tuple[ModelUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strings:
    """What became of the strings of one release: those that may be published, verdicts on the others."""

    allowed: frozenset[str]
    denied: tuple[Verdict, ...]

    def passed(self, text: str) -> str | None:
        """The string, or None where it was denied."""
        return text if text in self.allowed else None


class Door:
    """Thresholds and audit for one release; remembers every verdict, never the string it was about.

    auditor: who judges the strings; left out, the detectors of the built-in rubric.
    """

    def __init__(
        self, *, limits: Thresholds, domains: Mapping[str, Sequence[str]], auditor: Auditor | None = None
    ) -> None:
        self._limits = limits
        self._domains = domains
        self._auditor = auditor or Auditor()

    def release(self, tree: TopicTree, *, header: Header, guarantee: Guarantee, measurer: Measurer) -> Release:
        """The release of a measured tree.

        Raises:
            Refused: the numbers were not drawn by OpenDP, or the card does not account for what was measured.
        """
        if type(measurer.noise) is not OpenDPNoise:
            raise Refused("only measurements with OpenDP's noise can be released")
        if list(guarantee.mechanisms) != measurer.mechanisms:
            raise Refused("the guarantee card does not list the measurements that were made")
        withheld, nodes = self._over_thresholds(tree.topics)
        strings = self._judged(nodes)
        dropped, nodes = self._without_denied(nodes, strings)
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
                topics=self._topics(tree.topics, nodes, strings),
                models=header.models,
                audit=(
                    Verdict(subject="auditor", rule=self._auditor.statement, allowed=True),
                    *withheld,
                    *strings.denied,
                    *dropped,
                ),
            )
        )

    def _over_thresholds(self, nodes: Sequence[TopicNode]) -> tuple[list[Verdict], list[TopicNode]]:
        """Why each of the others is withheld, and the topics whose noisy numbers reach the thresholds."""
        withheld: list[Verdict] = []
        kept: list[TopicNode] = []
        for node in nodes:
            found = decide.release_topic(self._limits, users=node.users.value, conversations=node.conversations.value)
            if found.allowed:
                kept.append(node)
            else:
                withheld.append(Verdict(subject=f"topic {node.id}", rule=found.rule, allowed=False))
        return withheld, kept

    def _judged(self, nodes: Sequence[TopicNode]) -> _Strings:
        """Every string of these topics before the auditor, in one batch, each different one once."""
        placed = [(subject, text) for node in nodes for subject, text in _strings_of(node)]
        distinct = list(dict.fromkeys(text for _, text in placed))
        judged = dict(zip(distinct, self._auditor.judge(distinct), strict=True))
        return _Strings(
            allowed=frozenset(text for text, one in judged.items() if one.allowed),
            denied=tuple(
                Verdict(subject=subject, rule=rule, allowed=False)
                for subject, text in placed
                if (rule := judged[text].rule) is not None
            ),
        )

    def _without_denied(self, nodes: Sequence[TopicNode], strings: _Strings) -> tuple[list[Verdict], list[TopicNode]]:
        """Where the policy drops what is denied, a topic goes with its name or its description."""
        if self._auditor.on_denial == "coarser":
            return [], list(nodes)
        kept = [node for node in nodes if {node.name, node.description} <= strings.allowed]
        gone = {node.id for node in nodes} - {node.id for node in kept}
        rule = "auditor.on_denial"
        return [
            Verdict(subject=f"topic {node.id}", rule=rule, allowed=False) for node in nodes if node.id in gone
        ], kept

    def _topics(self, nodes: Sequence[TopicNode], kept: Sequence[TopicNode], strings: _Strings) -> tuple[Topic, ...]:
        """Topics that pass; a child of one that does not moves up to the nearest one that is shown."""
        above = {node.id: node.parent for node in nodes}
        shown = {node.id for node in kept}

        def visible(parent: str | None) -> str | None:
            while parent is not None and parent not in shown:
                parent = above[parent]
            return parent

        return tuple(replace(self._topic(node, strings), parent=visible(node.parent)) for node in kept)

    def _topic(self, node: TopicNode, strings: _Strings) -> Topic:
        """The topic with what may be published of it: for a denied name its first phrase, for a description nothing."""
        phrases = tuple(
            PhraseCount(text=phrase.text, users=self._shown(phrase.users))
            for phrase in node.phrases
            if strings.passed(phrase.text) is not None
        )
        coarser = phrases[0].text if phrases else UNNAMED
        return Topic(
            id=node.id,
            parent=node.parent,
            level=node.level,
            name=strings.passed(node.name) or coarser,
            description=strings.passed(node.description) or "",
            phrases=phrases,
            users=estimate(node.users),
            conversations=estimate(node.conversations),
            facets=self._facets(node.facets),
            x=node.x,
            y=node.y,
        )

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


def _strings_of(node: TopicNode) -> Iterator[tuple[str, str]]:
    """Every string of a topic that would be published, and where it stands."""
    yield f"topic {node.id} name", node.name
    yield f"topic {node.id} description", node.description
    for place, phrase in enumerate(node.phrases):
        yield f"topic {node.id} phrase {place}", phrase.text


def estimate(measured: Measured) -> Estimate:
    """A noisy number as whole people with the 95 % interval of its Gaussian noise, both cut at zero."""
    value, low, high = published(measured.value, measured.sigma)
    return Estimate(value=value, low=low, high=high)
