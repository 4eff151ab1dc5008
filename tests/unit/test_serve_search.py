"""Search by words: accents and case aside, whole words before beginnings before parts before what is nearly alike."""

from __future__ import annotations

import dataclasses
import itertools
import random
import time

import numpy as np
import pytest

from releases import sample, topic
from sfumato.model.release import PhraseCount
from sfumato.serve import meaning
from sfumato.serve.fold import folded, words
from sfumato.serve.search import Hit, Index

TOPICS = (
    topic(1, None, 0, "Debug Python code", 900),
    topic(2, None, 0, "Plan a trip", 800, phrases=(PhraseCount(text="Flüge buchen", users=None),)),
    topic(3, None, 0, "Übersetzen auf Französisch", 700, description="Texts from and into French."),
    topic(4, None, 0, "旅行計画を立てる", 600, description=""),
    topic(5, None, 0, "Cooking", 500, description="Recipes; sometimes for a trip."),
)
INDEX = Index(sample(topics=TOPICS))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("python", [0]), ("PYTHON Code", [0]), ("flüge", [1]), ("fluge", [1]), ("ubersetzen", [2]),
        ("franzosisch", [2]),
        ("franz", [2]), ("pythn", [0]), ("旅行", [3]), ("trip", [1, 4]), ("zebra", []), ("", []), ("?!", []),
    ],
)  # fmt: skip
def test_a_search_finds(text, found):
    assert [hit.topic for hit in INDEX.find(text)] == found


def test_a_word_of_the_name_counts_more_than_one_of_a_phrase_and_that_more_than_one_of_the_description():
    scores = {hit.where: hit.score for text in ("cooking", "buchen", "recipes") for hit in INDEX.find(text)}
    assert scores["name"] > scores["phrase"] > scores["description"]


def test_the_whole_word_beats_its_beginning_beats_a_part_beats_a_slip():
    best = [
        max(hit.score for hit in INDEX.find(text) if hit.topic == 0) for text in ("python", "pyth", "ytho", "pythom")
    ]
    assert best == sorted(best, reverse=True)
    assert len(set(best)) == 4


def test_scores_lie_between_zero_and_one_and_order_is_stable():
    hits = INDEX.find("a trip to plan in french code")
    assert all(0 < hit.score <= 1 for hit in hits)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.topic)) == INDEX.find("a trip to plan in french code")


@pytest.mark.parametrize(
    "text",
    [
        "ba ke li mo nu pra sti " * 9,
        "bakeli mokani lamepo terinu " * 8,
        "x" * 200,
        "é" * 200,
        "\x00" * 200,
        "ａｂｃ" * 60,
    ],
)
def test_the_longest_query_over_three_thousand_topics_takes_less_than_half_a_second(text):
    """Of some ten thousand different words, many of them nearly alike."""
    drawn = random.Random(3)
    syllables = [first + second for first in "bcdfghklmnprst" for second in "aeiou"]
    made = ("".join(drawn.choices(syllables, k=drawn.randint(2, 5))) for _ in range(30_000))
    release = sample(
        topics=tuple(
            dataclasses.replace(TOPICS[0], id=f"x{at}", description=" ".join(itertools.islice(made, 10)))
            for at in range(3000)
        )
    )
    index = Index(release)
    began = time.perf_counter()
    index.find(text[:200])
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("Ｐｙｔｈｏｎ", "python"), ("naïve  café", "NAIVE CAFE"), ("İstanbul", "istanbul")],
)
def test_texts_that_differ_in_case_accents_width_or_spaces_are_the_same(one, other):
    assert folded(one) == folded(other)


def test_words_are_runs_of_letters_and_digits():
    assert words("C'est l'été – 2025!") == ["c", "est", "l", "ete", "2025"]


def test_meaning_and_words_are_joined_by_the_better_of_the_two():
    by_words = [Hit(topic=0, score=0.9, where="name"), Hit(topic=1, score=0.4, where="phrase")]
    found = meaning.joined(by_words, np.asarray([0.5, 0.7, 0.6, 0.1]))
    assert [(hit.topic, hit.score, hit.where) for hit in found] == [
        (0, 0.9, "name"), (1, 0.7, "phrase"), (2, 0.6, "meaning"),
    ]  # fmt: skip


def test_vectors_need_not_be_of_length_one():
    known = meaning.Meanings(sample(topics=TOPICS[:2]), lambda texts: np.asarray([[3.0, 4.0]] * len(texts)))
    assert known.likeness("anything") == pytest.approx([1.0, 1.0])
