"""What the pipeline's own steps ask is answered by the stand-in in a way that those steps can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sfumato.extract import answers as extracted
from sfumato.extract.questions import Questions
from sfumato.gate import second_reader
from sfumato.gate.rubric import DEFAULT, load
from sfumato.model.prompt import Prompt, Reply
from sfumato.standin.answers import answer
from sfumato.topics import guarded, parents, titles
from sfumato.topics.lexicon import Lexicon

if TYPE_CHECKING:
    from collections.abc import Sequence

TRANSCRIPT = "<conversation>\nuser: my sourdough bread burns in the oven\nassistant: bake it lower\n</conversation>"
LEXICON = Lexicon.of(["bread", "oven", "python", "tests", "loops", "visa"])


def replied(prompt: Prompt) -> Reply:
    fields = answer(dict(prompt.schema), prompt.text, system=prompt.system)
    assert isinstance(fields, dict)
    return Reply(fields=fields)


def test_summary_and_labels_are_taken_from_the_form() -> None:
    taken = extracted.parse(replied(Questions().main().about(TRANSCRIPT)), ())
    assert "bread" in taken.labels
    assert taken.summary.startswith("The user asks about ")


@pytest.mark.parametrize(("about", "through"), [("bread", True), ("gardens", False)])
def test_the_screener_lets_through_what_it_asks_for(about: str, through: bool) -> None:
    form = Questions(screen=f"Is it about {about}?").screener()
    assert form is not None
    assert extracted.lets_through(replied(form.about(TRANSCRIPT))) is through


def test_a_title_says_released_words_and_is_published() -> None:
    evidence = titles.Evidence(
        users=120.0, phrases=[("bread", 90.0), ("oven", 70.0)], contrast=["python", "loops"], parts=[("Ask", None)]
    )
    title = titles.parse(replied(titles.prompt_for(evidence)), LEXICON)
    assert title is not None
    assert (title.name, title.description) == ("Ask about bread and oven", "People ask about bread and oven.")


def test_a_title_from_summaries_says_what_those_inside_share() -> None:
    inside = ["The user asks about bread and salt.", "The user asks about bread and oven."]
    title = titles.parse(replied(guarded.prompt_for(inside, ["The user asks about visa."])), None)
    assert title is not None
    assert title.name.startswith("Ask about bread and ")


CHILDREN = ["Ask about python and tests", "Ask about python and loops", "Ask about bread and oven", "Ask about oven"]


@pytest.mark.parametrize("wanted", [2, 4])
def test_proposals_are_as_many_as_wanted_and_every_child_finds_its_parent(wanted: int) -> None:
    described = [f"{child}: People ask about {child.split()[-1]}." for child in CHILDREN]
    proposed = parents.names_in(
        replied(parents.proposal_prompt(described, ["Ask about visa"], wanted)), wanted, LEXICON
    )
    assert len(proposed) == wanted
    assert {"Ask about python", "Ask about oven"} <= set(proposed)
    listed = parents.names_in(replied(parents.list_prompt(proposed, wanted)), wanted, LEXICON)
    assert set(listed) == set(proposed)
    assert [_parent(child, ["Ask about oven", "Ask about python"]) for child in described] == [1, 1, 0, 0]


def _parent(child: str, candidates: Sequence[str]) -> int | None:
    return parents.choice_in(replied(parents.choice_prompt(child, candidates)), candidates)


def test_the_second_reader_passes_a_clean_string_and_denies_one_with_an_address() -> None:
    rubric = load(DEFAULT)
    verdicts = [
        second_reader.verdict(replied(second_reader.prompt_for(text, rubric)), rubric, minimum=4)
        for text in ("Ask about bread", "Ask ann@example.org about bread")
    ]
    assert verdicts[0] is None
    assert verdicts[1] is not None
