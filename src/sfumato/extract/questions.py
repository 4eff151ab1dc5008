"""What a policy asks of every conversation, as forms: the screener's question first, then all facets in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.extract import walk
from sfumato.extract.facets import NO, YES
from sfumato.extract.form import (
    ANSWER,
    FRAME,
    LABELS,
    MOST_LABELS,
    REQUEST,
    SUMMARY,
    Form,
    described,
    filled_in,
    nodes,
    one_of,
    options,
    room_for,
    some_of,
)
from sfumato.extract.window import transcript

if TYPE_CHECKING:
    from sfumato.extract.facets import Facet
    from sfumato.model.conversation import Conversation
    from sfumato.model.prompt import Prompt
    from sfumato.model.strict_json import Json

_ROOM = 320  # tokens for a summary and labels of any length that makes sense


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """All that is asked in one run.

    about: what summary and labels are of. screen: the yes/no question that lets a conversation through. window:
    characters of a conversation that are read.
    """

    facets: tuple[Facet, ...] = ()
    about: str = REQUEST
    screen: str | None = None
    window: int = 16_000

    def __post_init__(self) -> None:
        """Refuse names that would be confused in a reply. Raises ValueError."""
        names = [facet.name for facet in self.facets]
        if len({*names, SUMMARY, LABELS}) != len(names) + 2:
            raise ValueError(f"facets have distinct names, and none is called `{SUMMARY}` or `{LABELS}`")

    @property
    def at_once(self) -> tuple[Facet, ...]:
        """The facets in the form: all that a model answers, but paths whose top level is too wide for it."""
        return tuple(facet for facet in self.facets if facet.is_asked and walk.begins_in_the_form(facet))

    def main(self) -> Form:
        """The form with summary, labels and every facet; of a path, its top level."""
        asked = self.at_once
        return Form(
            system=_INSTRUCTIONS.format(
                frame=FRAME, about=self.about, most=MOST_LABELS, asked="".join(map(_line, asked))
            ),
            schema=filled_in(
                {
                    SUMMARY: {"type": "string"},
                    LABELS: {"type": "array", "items": {"type": "string"}},
                    **{facet.name: _schema(facet) for facet in asked},
                }
            ),
            max_tokens=_ROOM + sum(map(_room, asked)),
        )

    def screener(self) -> Form | None:
        """The screener's form, where there is one."""
        if self.screen is None:
            return None
        return Form(
            system=f"{FRAME}\nAnswer about it: {self.screen}",
            schema=filled_in({ANSWER: one_of((YES, NO))}),
            max_tokens=32,
        )


_INSTRUCTIONS = """{frame} Fill in, plainly, also of what is harmful:
summary: {about}, in at most two English sentences; no names, proper nouns or detail that could identify anyone.
labels: at most {most} phrases for it, each 1 to 4 English words in lower case that many conversations could share, \
such as "debug python code".{asked}
Where nothing applies or it is not said: `unknown`, an empty list, null for a number."""


def prompts_for(conversation: Conversation, questions: Questions) -> tuple[Prompt, ...]:
    """Every prompt that a conversation can cost, paths walked where they are widest: an upper bound, without asking.

    What a screener does not let through costs the first one alone.
    """
    text = transcript(conversation, window=questions.window)
    if not text:
        return ()
    screener = questions.screener()
    forms = [*([screener] if screener else []), questions.main()]
    steps = [
        form for facet in questions.facets if facet.taxonomy is not None for form in walk.widest(facet, facet.taxonomy)
    ]
    return tuple(form.about(text) for form in [*forms, *steps])


def _line(facet: Facet) -> str:
    most = f" (at most {facet.at_most})" if facet.at_most > 1 else ""
    if facet.taxonomy is None:
        return f"\n{facet.name}: {facet.ask}{most}"
    return f"\n{facet.name}: {facet.ask}{most}{described(facet.taxonomy, facet.taxonomy.children(None))}"


def _schema(facet: Facet) -> dict[str, Json]:
    if facet.kind == "number":
        return {"anyOf": [{"type": "number"}, {"type": "null"}]}
    if facet.taxonomy is not None:
        return nodes(facet.taxonomy, facet.taxonomy.children(None), at_most=facet.at_most)
    return some_of(facet.domain[:-1]) if facet.kind == "multi_label" else one_of(facet.domain)


def _room(facet: Facet) -> int:
    """Tokens for a facet's name and values in a reply."""
    values = facet.domain
    if facet.taxonomy is not None:
        values = tuple(options(facet.taxonomy, facet.taxonomy.children(None)))
    return len(facet.name) + 8 + room_for(values, at_most=facet.at_most)
