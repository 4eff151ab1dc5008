"""Paths: a declared taxonomy walked level by level, all conversations together, a small question for each node reached.

The first level stands in the form of all facets if it has at most 200 nodes. From there, round by round, each node
reached is asked for its children; `none of these`, no answer and a wrong one stop there. More than 200 children are
shown in blocks of 200, and one more question decides among what the blocks gave. So there are at most two rounds for
a level, and no question shows more than 200 names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from sfumato.extract import answers
from sfumato.extract.form import ANSWER, FRAME, MOST_OPTIONS, Form, described, filled_in, nodes, options, room_for
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sfumato.extract.facets import Facet
    from sfumato.model.prompt import Prompt, Reply
    from sfumato.model.taxonomy import Taxonomy

    Ask: TypeAlias = Callable[[Sequence[Prompt]], Sequence[Reply]]

End: TypeAlias = (
    "tuple[str | None, bool]"  # the node reached, None above the top; whether it is still to be asked below
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Path(Private):
    """How far one conversation has come in one facet's taxonomy; where a facet takes several nodes, several ends."""

    facet: Facet
    taxonomy: Taxonomy
    transcript: str
    ends: tuple[End, ...]

    @property
    def open(self) -> list[str | None]:
        """The nodes below which it is still to be asked."""
        return [node for node, goes_on in self.ends if goes_on]

    @property
    def several(self) -> int:
        """Nodes that one end may become without passing the facet's `at_most`."""
        return self.facet.at_most - len(self.ends) + 1

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the nodes reached; that of `unknown` alone where there is none."""
        return tuple(self.taxonomy.index(node) for node, _ in self.ends if node is not None) or (self.facet.unknown,)


def begins_in_the_form(facet: Facet) -> bool:
    """Whether the facet's first question stands in the form of all facets; of those that are no path, every one's."""
    return facet.taxonomy is None or len(facet.taxonomy.children(None)) <= MOST_OPTIONS


def begin(facet: Facet, taxonomy: Taxonomy, transcript: str, *, codes: Sequence[int]) -> Path:
    """The path of a conversation whose form gave these nodes of the first level, or `unknown`."""
    if not begins_in_the_form(facet):
        return Path(facet=facet, taxonomy=taxonomy, transcript=transcript, ends=((None, bool(transcript)),))
    reached = [taxonomy.nodes[code].id for code in codes if code != facet.unknown]
    return Path(facet=facet, taxonomy=taxonomy, transcript=transcript, ends=_ends(taxonomy, reached))


def to_the_end(paths: Sequence[Path], ask: Ask) -> list[Path]:
    """The same paths, each as far as its own replies lead. All open ones share the calls of `ask`, level by level."""
    held, known = list(paths), dict[tuple[str, str, int], _Block]()
    while any(path.open for path in held):
        steps = [_Step(path, node) for path in held for node in path.open]
        _ask_blocks(steps, ask, known)
        _decide([step for step in steps if len(step.picked) > step.path.several], ask)
        done = iter(steps)
        held = [_deeper(path, [next(done).picked for _ in path.open]) for path in held]
    return held


def widest(facet: Facet, taxonomy: Taxonomy) -> list[Form]:
    """The forms of a walk through the nodes with the most children on each level: as many tokens as it can cost."""
    found: list[Form] = []
    level: list[str | None] = [None]
    while any(taxonomy.children(node) for node in level):
        asked = sorted(level, key=lambda node: -len(taxonomy.children(node)))[: facet.at_most]
        if asked != [None] or not begins_in_the_form(facet):
            for node in asked:
                blocks = [_block(facet, taxonomy, node, ids, 1).form for ids in _blocks(taxonomy, node)]
                found += [*blocks, blocks[0]] if len(blocks) > 1 else blocks
        level = [child for node in level for child in taxonomy.children(node)]
    return found


@dataclass(slots=True)
class _Step:
    """One end of a path on its way down. picked: children that the replies chose."""

    path: Path
    node: str | None
    picked: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Block:
    """A question about some children of a node, and the id behind each name it shows."""

    form: Form
    shown: Mapping[str, str]


def _ask_blocks(steps: Sequence[_Step], ask: Ask, known: dict[tuple[str, str, int], _Block]) -> None:
    asked: list[tuple[_Step, _Block]] = []
    for step in steps:
        path = step.path
        for ids in _blocks(path.taxonomy, step.node):
            key = (path.facet.name, ids[0], path.several)
            if key not in known:
                known[key] = _block(path.facet, path.taxonomy, step.node, ids, path.several)
            asked.append((step, known[key]))
    _answer(asked, ask)


def _decide(steps: Sequence[_Step], ask: Ask) -> None:
    """One more question where several blocks together gave more than there is room for."""
    asked = []
    for step in steps:
        ids = step.picked[:MOST_OPTIONS]
        asked.append((step, _block(step.path.facet, step.path.taxonomy, step.node, ids, step.path.several)))
        step.picked = []
    if asked:
        _answer(asked, ask)


def _answer(asked: Sequence[tuple[_Step, _Block]], ask: Ask) -> None:
    replies = ask([block.form.about(step.path.transcript) for step, block in asked])
    for (step, block), reply in zip(asked, replies, strict=True):
        names = answers.chosen(reply, ANSWER, block.shown, at_most=step.path.several)
        step.picked += [block.shown[name] for name in names]


def _deeper(path: Path, picked: Sequence[Sequence[str]]) -> Path:
    """Each open end becomes the children picked for it, as long as there is room, or ends."""
    room, following = path.several, iter(picked)
    ends: list[End] = []
    for node, goes_on in path.ends:
        children = next(following)[:room] if goes_on else ()
        room -= max(0, len(children) - 1)
        ends += _ends(path.taxonomy, children) or (() if node is None else ((node, False),))
    return replace(path, ends=tuple(ends))


def _ends(taxonomy: Taxonomy, ids: Sequence[str]) -> tuple[End, ...]:
    return tuple((id_, bool(taxonomy.children(id_))) for id_ in ids)


def _blocks(taxonomy: Taxonomy, node: str | None) -> list[tuple[str, ...]]:
    children = taxonomy.children(node)
    return [children[start : start + MOST_OPTIONS] for start in range(0, len(children), MOST_OPTIONS)]


def _block(facet: Facet, taxonomy: Taxonomy, node: str | None, ids: Sequence[str], several: int) -> _Block:
    shown = options(taxonomy, ids)
    way = " > ".join(options(taxonomy, taxonomy.path(node))) if node is not None else ""
    reached = f" So far: {way}; which part of it?" if way else ""
    most = "" if several == 1 else f" (at most {several})"
    form = Form(
        system=f"{FRAME}\nAnswer about it: {facet.ask}{most}{reached}{described(taxonomy, ids)}",
        schema=filled_in({ANSWER: nodes(taxonomy, ids, at_most=several)}),
        max_tokens=24 + room_for(tuple(shown), at_most=several),
    )
    return _Block(form, shown)
