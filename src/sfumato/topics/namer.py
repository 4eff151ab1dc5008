"""Titles and tree by a language model from released values; whatever it fails at is done as if there were none.

Every name and grouping here follows from released phrases, noisy counts and the replies of a model that was shown
nothing else, so it is post-processing: it costs no budget, and no reply can say more than the lexicon allows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import ModelUnavailable, Refused
from sfumato.model.prompt import Reply
from sfumato.topics import hierarchy, parents, titles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.model.prompt import Model, Prompt
    from sfumato.topics.lexicon import Lexicon
    from sfumato.topics.naming import Label

FEWEST = 2  # groups of the top level
SHOWN = 12  # children of a topic named when the topic itself is sorted
MOST_MISSING = 0.25  # of a level's children without a usable answer; more, and the level is not the model's
NO_REPLY = Reply(fields=None, failure="unavailable")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namer:
    """embed: unit vectors (n, d) of n strings. lexicon: the words of the release; None only in guarded mode."""

    model: Model
    embed: Callable[[Sequence[str]], NDArray[np.float32]]
    lexicon: Lexicon | None

    def titled(self, labels: Sequence[Label], evidence: Sequence[titles.Evidence]) -> list[Label]:
        """One level's labels with the model's names and descriptions where they may be published. One batch.

        Names stay distinct: the topic of most users keeps a name that several got, and none takes the phrase title of
        another.
        """
        replies = self.ask([titles.prompt_for(one) for one in evidence])
        found = list(labels)
        taken = {label.name.casefold() for label in labels}
        written = 0
        for place in sorted(range(len(found)), key=lambda place: -(evidence[place].users or 0)):
            title = titles.parse(replies[place], self.lexicon)
            if title is not None and title.name.casefold() not in taken:
                taken.add(title.name.casefold())
                described = title.description or found[place].description
                found[place] = replace(found[place], name=title.name, description=described)
                written += 1
        _log.info("%d of %d names of a level are the model's, the others are made of phrases", written, len(found))
        return found

    def groupings(self, labels: Sequence[Label], centroids: NDArray[np.floating]) -> tuple[NDArray[np.int64], ...]:
        """For each level above the leaves, the group of every leaf (leaves,), numbered from 0; groups nest.

        A level at which the model fails is Ward's. Sizes are those of `hierarchy.level_sizes`, within half and half
        over where the model made the level.
        """
        sizes, ward = hierarchy.level_sizes(len(centroids)), hierarchy.groupings(centroids)
        nodes = [_Node(name=label.name, text=f"{label.name}: {label.description}") for label in labels]
        levels: list[NDArray[np.int64]] = []
        of_leaf, by_distance = np.arange(len(centroids)), True
        for level, wanted in enumerate(sizes):
            least = sizes[level + 1] + 1 if level + 1 < len(sizes) else FEWEST
            made = self._level([node.text for node in nodes], wanted, least)
            if made is None:
                _log.info("level %d of the tree is grouped by distance: the model's answers can't be used", level + 1)
                group = _nested(ward[level], of_leaf) if by_distance else _cut(centroids, of_leaf, wanted)
                names = [""] * (int(group.max()) + 1)
            else:
                group, names = made
                by_distance = False
            nodes = [_above(name, [nodes[i] for i in np.flatnonzero(group == k)]) for k, name in enumerate(names)]
            of_leaf = group[of_leaf]
            levels.append(of_leaf)
        return tuple(levels)

    def _level(self, texts: Sequence[str], wanted: int, least: int) -> tuple[NDArray[np.int64], list[str]] | None:
        """The group of each child and each group's name, or None where the model's answers make no level."""
        points = np.asarray(self.embed(texts), np.float64)
        names = self._names(texts, points, wanted)
        if len(names) < least:
            return None
        replies = self.ask([parents.choice_prompt(text, names) for text in texts])
        chosen = [parents.choice_in(reply, names) for reply in replies]
        if chosen.count(None) > MOST_MISSING * len(chosen):
            return None
        nearest = (points @ np.asarray(self.embed(names), np.float64).T).argmax(axis=1)
        group = np.asarray([near if one is None else one for one, near in zip(chosen, nearest.tolist(), strict=True)])
        _, first = np.unique(group, return_index=True)
        if not least <= len(first) < len(texts):
            return None
        return hierarchy.renumbered(group), [names[group[child]] for child in sorted(first.tolist())]

    def _names(self, texts: Sequence[str], points: NDArray[np.float64], wanted: int) -> tuple[str, ...]:
        """Names of a level's groups: proposed in each neighbourhood, then made one list; none where a step fails."""
        hoods = parents.neighbourhoods(points)
        shares = [max(1, round(wanted * len(hood) / len(texts))) for hood in hoods]
        prompts = [
            parents.proposal_prompt([texts[i] for i in hood], [texts[i] for i in parents.outside(points, hood)], share)
            for hood, share in zip(hoods, shares, strict=True)
        ]
        replies = self.ask(prompts)
        found = [parents.names_in(reply, share, self.lexicon) for reply, share in zip(replies, shares, strict=True)]
        if not all(found):
            return ()
        proposed = tuple({name.casefold(): name for names in found for name in names}.values())
        if len(hoods) == 1:
            return proposed
        (reply,) = self.ask([parents.list_prompt(proposed, wanted)])
        return parents.names_in(reply, wanted, self.lexicon)

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply for each prompt; those that had come when the endpoint failed are kept, for they are paid for."""
        replies = [NO_REPLY] * len(prompts)

        def keep(place: int, reply: Reply) -> None:
            replies[place] = reply

        try:
            returned = self.model.complete(prompts, arrived=keep) if prompts else []
        except (ModelUnavailable, Refused) as error:
            _log.warning(
                "the model that writes names can't be used (%s): names are made of phrases", type(error).__name__
            )
            return replies
        if len(returned) != len(prompts):
            _log.warning("the model that writes names answered another number of questions than it was asked")
            return [NO_REPLY] * len(prompts)
        return list(returned)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A topic while the tree is built. text: what the model is shown of it."""

    name: str
    text: str


def _above(name: str, children: Sequence[_Node]) -> _Node:
    """A group of topics; one that the model did not name goes by its first child."""
    inside = "; ".join(child.name for child in children[:SHOWN])
    return _Node(name=name or children[0].name, text=f"{name}: {inside}" if name else inside)


def _nested(ward: NDArray[np.int64], of_leaf: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ward's group of each child, given of leaves; children are Ward's own groups, or leaves."""
    return ward[np.unique(of_leaf, return_index=True)[1]]


def _cut(centroids: NDArray[np.floating], of_leaf: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Ward's grouping of children that the model made, by the means of their leaves."""
    count = np.bincount(of_leaf)
    means = np.zeros((len(count), centroids.shape[1]))
    np.add.at(means, of_leaf, centroids)
    return hierarchy.cut(means / count[:, None], size)
