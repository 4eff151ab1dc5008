"""A row of model extraction is a function of its own conversation and replies, and its labels count with candidates."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.extract import modelled
from sfumato.extract.facets import category, computed, multi_label, path
from sfumato.extract.phrases import candidate_phrases, label
from sfumato.extract.questions import Questions
from sfumato.model.conversation import Conversation, Message
from sfumato.model.prompt import Reply
from sfumato.model.taxonomy import Node, Taxonomy
from stand_ins import HashedEmbedder

TREE = Taxonomy(
    nodes=tuple(
        Node(id=id_, parent=id_[:-1] or None, name=f"node {id_}") for id_ in ("a", "b", "aa", "ab", "ba", "aaa", "aab")
    ),
    digest="0" * 64,
)
FACETS = (
    category("use", ("work", "play"), ask="What for?"),
    multi_label("many", ("x", "y", "z"), ask="Which?", at_most=2),
    path("area", TREE, ask="Which area?", at_most=2),
    computed("turns"),
)
TEXTS = st.text(alphabet="abcdefgh <>/\n\u4e2d\u200b", max_size=60)


def pick(text, number, values):
    """A choice that depends on the prompt alone."""
    return values[(sum(map(ord, text)) + number) % len(values)] if values else None


def ask(prompts):
    """A model whose every reply is a function of its own prompt; it fails, lies and answers."""
    return [answered(prompt) for prompt in prompts]


def answered(prompt):
    text = prompt.text
    if sum(map(ord, text)) % 7 == 0:
        return Reply(fields=None, failure="refused")
    fields = {"summary": text[15:40], "labels": [text[15:25], text[18:40]]}
    for number, (name, schema) in enumerate(prompt.schema["properties"].items()):
        if "enum" in schema:
            fields[name] = pick(text, number, schema["enum"])
        elif "enum" in schema.get("items", {}):
            shown = schema["items"]["enum"]
            fields[name] = [pick(text, number, shown), pick(text, number + 1, [*shown, "out of domain"])]
    return Reply(fields=json.loads(json.dumps(fields)))


def conversation(number, turns):
    return Conversation(
        conversation_id=number.to_bytes(16, "big"),
        unit_id=number.to_bytes(16, "big"),
        messages=tuple(Message(role=role, content=content) for role, content in turns),
        attributes={},
    )


def rows(conversations, questions):
    held = modelled.extract(
        conversations, questions=questions, embed=HashedEmbedder(), ask=ask, phrases_limit=8, keep_summaries=True
    )
    return {
        held.conversation_ids[row]: (
            held.unit_ids[row],
            held.phrases[row],
            {name: codes[row].tolist() for name, codes in held.facets.items()},
            held.vectors[row].tobytes(),
            None if held.relevant is None else bool(held.relevant[row]),
            held.summaries[row],
        )
        for row in range(len(held))
    }


@pytest.mark.parametrize("screen", [None, "Is it so?"], ids=["all", "screened"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_other_conversations_and_their_order_never_change_a_row(screen, data):
    questions = Questions(facets=FACETS, screen=screen, window=500)
    talk = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), max_size=4)
    held = [conversation(number, turns) for number, turns in enumerate(data.draw(st.lists(talk, max_size=7)))]
    together = rows(held, questions)
    alone = {}
    for one in held:
        alone |= rows([one], questions)
    assert together == alone
    mixed = data.draw(
        st.permutations(
            [*held, *(conversation(100 + i, t) for i, t in enumerate(data.draw(st.lists(talk, max_size=3))))]
        )
    )
    after = rows(mixed, questions)
    assert {key: after[key] for key in together} == together


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "Debug",
                "the",
                "tax",
                "law",
                "of",
                "my",
                "c++",
                "r&d",
                "O'Brien's",
                "naïve",
                "ΣΊΣΥΦΟΣ",
                "ﬁsh",
                "don’t",
                "x1",
                "hello",
                "straße",
            ]
        ),
        max_size=6,
    ).map(" ".join)
)
def test_a_label_of_one_or_two_telling_words_is_a_candidate_phrase_of_itself(written):
    """So what a model calls `Tax law!` and a fallback finds in `the tax law` is one entry of the vocabulary."""
    found = label(written)
    assert len(found) <= 40
    words = found.split(" ") if found else []
    assert len(words) <= 4
    for word in words[:1] + words[-1:]:
        assert word in candidate_phrases(found, "en")
    if len(words) == 2 and words[0] != words[1]:
        assert found in candidate_phrases(found, "en")
