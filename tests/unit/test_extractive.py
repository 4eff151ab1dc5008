"""Extraction without a language model: one row for each conversation, and a row is a function of its conversation."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pytest

from sfumato.embed.sentences import SentenceEmbedder
from sfumato.errors import ModelUnavailable
from sfumato.extract.extractive import extract, first_request
from sfumato.extract.facets import category, computed
from sfumato.extract.language import detect
from sfumato.model.conversation import Conversation, Message
from stand_ins import HashedEmbedder

FACETS = [*map(computed, ("language", "turns", "length", "hour")), category("plan", ["free", "team"])]
REQUESTS = [
    "how do I prune an old apple tree in winter",
    "",
    "¿cómo podo un manzano viejo?",
    "\U0001f642",
    "りんごの木の剪定",
    "half a pair \ud83d and an apple tree",
    "explain grafting apple trees to my children. " * 200,
    "\x00\x01",
]


def opening(spoken):
    """The text of a first request; its language is what `detect` says of it, however it was found out."""
    text, language = first_request(spoken)
    assert language == detect(text)
    return text


def conversation(number, *turns):
    return Conversation(
        conversation_id=number.to_bytes(16, "big"),
        unit_id=(number // 2).to_bytes(16, "big"),
        messages=tuple(Message(role=role, content=content) for role, content in turns),
        timestamp=datetime(2026, 5, 1, number % 24, tzinfo=UTC),
        attributes={"plan": "team"} if number % 2 else {},
    )


CONVERSATIONS = [conversation(i, ("user", text), ("assistant", "Cut it.")) for i, text in enumerate(REQUESTS)]


@pytest.fixture(scope="module", params=["hashed", pytest.param("sentences", marks=pytest.mark.model)])
def embed(request):
    if request.param == "hashed":
        yield HashedEmbedder()
        return
    try:
        real = SentenceEmbedder(workers=1)
    except ModelUnavailable as reason:
        pytest.skip(str(reason))
    with real:
        yield real


def rows(conversations, embed):
    """Each conversation's row, by its id."""
    held = extract(conversations, facets=FACETS, embed=embed, phrases_limit=8)
    return {
        held.conversation_ids[i]: (
            held.unit_ids[i],
            held.phrases[i],
            tuple(int(held.facets[facet.name][i]) for facet in FACETS),
            held.vectors[i].tobytes(),
        )
        for i in range(len(held))
    }


def test_a_row_is_the_same_alone_and_in_any_company(embed):
    together = rows(CONVERSATIONS, embed)
    assert len(together) == len(CONVERSATIONS)
    alone = {}
    for held in CONVERSATIONS:
        alone |= rows([held], embed)
    assert alone == together
    crowd = [conversation(100 + i, ("user", f"a recipe with {i} apples and much sugar " * (i % 9))) for i in range(30)]
    mixed = random.Random(5).sample([*CONVERSATIONS, *crowd], len(CONVERSATIONS) + len(crowd))
    answer = rows(mixed, embed)
    assert {key: answer[key] for key in together} == together


def test_columns_have_the_declared_shapes_and_types(embed):
    held = extract(CONVERSATIONS, facets=FACETS, embed=embed, phrases_limit=3)
    assert held.vectors.shape == (len(CONVERSATIONS), 384)
    assert held.vectors.dtype == np.float16
    assert np.allclose(np.linalg.norm(held.vectors.astype(np.float64), axis=1), 1, atol=2e-3)
    assert {name: (codes.dtype, len(codes)) for name, codes in held.facets.items()} == {
        facet.name: (np.dtype(np.int16), len(CONVERSATIONS)) for facet in FACETS
    }
    assert max(map(len, held.phrases)) == 3
    assert list(held.unit_ids) == [held.unit_id for held in CONVERSATIONS]


def test_a_conversation_without_text_has_a_row_of_its_own():
    empty = conversation(1)
    held = extract([empty], facets=FACETS, embed=HashedEmbedder(), phrases_limit=8)
    assert held.phrases == [()]
    assert held.vectors.tobytes() == HashedEmbedder().embed([""]).astype(np.float16).tobytes()
    assert [FACETS[i].domain[held.facets[FACETS[i].name][0]] for i in range(3)] == ["unknown"] * 3


def test_nothing_in_gives_nothing_out():
    held = extract([], facets=FACETS, embed=HashedEmbedder(), phrases_limit=8)
    assert len(held) == 0
    assert held.vectors.shape == (0, 384)


def test_an_opening_that_only_greets_takes_the_messages_after_it_along():
    greeted = conversation(1, ("user", "Hello there"), ("assistant", "Hi"), ("user", "Bake sourdough bread"))
    assert opening(greeted) == "Hello there\nBake sourdough bread"
    evening = conversation(1, ("user", "Good evening!"), ("assistant", "Hi"), ("user", "Bake sourdough bread"))
    assert opening(evening) == "Good evening!\nBake sourdough bread"
    asked = conversation(1, ("user", "Bake sourdough bread"), ("user", "and a tax return"))
    assert opening(asked) == "Bake sourdough bread"
    silent = conversation(1, *[("user", "hello")] * 9)
    assert opening(silent) == "hello\nhello\nhello"


def test_the_first_request_is_the_users_first_message_with_letters():
    assert opening(conversation(1, ("system", "Be kind."), ("user", "42 ?"), ("user", "why"))) == "why"
    assert opening(conversation(1, ("assistant", "Hello"), ("user", "so?"), ("tool", "no"))) == "so?"
    assert opening(conversation(1, ("assistant", "Hello"), ("user", "42"))) == "42"
    assert opening(conversation(1, ("user", "42"), ("assistant", "Hello"))) == "42"
    assert opening(conversation(1)) == ""


def test_of_a_long_request_4000_characters_are_read():
    assert opening(conversation(1, ("user", "a" * 9000))) == "a" * 4000
    assert opening(conversation(1, ("user", "1" * 4000 + "late letters"), ("user", "now"))) == "now"


def test_half_of_a_surrogate_pair_is_replaced_and_a_whole_pair_joined():
    assert opening(conversation(1, ("user", "a \ud83d b"))) == "a \ufffd b"
    assert opening(conversation(1, ("user", "a \ud83d\ude42 b"))) == "a \U0001f642 b"


def test_extracts_show_no_text():
    held = extract(CONVERSATIONS, facets=FACETS, embed=HashedEmbedder(), phrases_limit=8)
    assert repr(held) == str(held) == "<Extracts: private>"
