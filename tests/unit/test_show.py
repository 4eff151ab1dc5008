"""What the terminal shows of a release: everything at any width, and nothing that could steer the terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from releases import MARKUP, about, guarantee, sample, topic
from sfumato.cli.render import render_card, render_tree
from sfumato.model.visible import visible

HOSTILE = "\x1b[31mred\x1b]0;owned\x07\u202egnp.exe\u2066\r\nline\x9b2J\u2028[bold]markup[/bold]"


def drawn(renderable: object, width: int = 100, **options: object) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width, **options).print(renderable)
    return sink.getvalue()


def test_the_tree_shows_parents_before_children_and_larger_topics_first():
    text = drawn(render_tree(sample()))
    names = ["Software development", "Debug Python", "Write SQL", "Explain shell", "Everyday life", "Plan a trip"]
    places = [text.index(name) for name in names]
    assert places == sorted(places)


def test_a_row_holds_users_with_their_margin_conversations_and_phrases():
    (row,) = [line for line in drawn(render_tree(sample())).splitlines() if "Debug Python code" in line]
    assert re.search(r"1,210 ±9 +3,630 +debug, python, code", row)
    assert row.startswith("   ")


def test_topics_that_have_no_phrases_have_no_column_for_them():
    assert "phrases" in drawn(render_tree(sample()))
    assert "phrases" not in drawn(render_tree(sample(topics=(replace(topic(1, None, 0, "Bread", 100), phrases=()),))))


def test_an_uneven_interval_is_shown_by_its_wider_side():
    uneven = replace(about(100), low=70, high=110)
    text = drawn(render_tree(sample(topics=(topic(1, None, 0, "Odd", 100, users=uneven),))))
    assert "100 ±30" in text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_topic_or_number_is_lost(width):
    tree, card = drawn(render_tree(sample()), width), drawn(render_card(sample()), width)
    assert max(len(line) for line in (tree + card).splitlines()) <= width
    for one in sample().topics:
        assert f"{one.users.value:,} ±9" in tree
    assert "".join(tree.split()).count("Software") == 1
    assert "…" not in card


def test_what_runs_over_its_line_goes_on_under_its_own_beginning():
    long = (topic(1, None, 0, "Above", 100), topic(2, 1, 1, "Below " + "and further " * 8 + "down", 90))
    tree = drawn(render_tree(sample(topics=long)), 60).splitlines()
    (first,) = [number for number, line in enumerate(tree) if "Below" in line]
    begins = re.match(r" *", tree[first]).end()
    assert begins > re.match(r" *", tree[first - 1]).end()
    assert re.match(r" *", tree[first + 1]).end() == begins
    promised = sample(guarantee=guarantee(covers=("every count " * 9,)))
    card = drawn(render_card(promised), 50).splitlines()
    (first,) = [number for number, line in enumerate(card) if line.startswith("  + every")]
    assert re.match(r" *", card[first + 1]).end() == len("  + ")


def test_no_word_of_the_card_is_broken_at_a_usual_width():
    words = {word for one in guarantee().mechanisms for word in f"{one.name} {one.statistic}".split()}
    assert words
    assert words <= set(drawn(render_card(sample()), 80).split())


def test_nothing_is_coloured_on_a_pipe():
    assert "\x1b" not in drawn(render_tree(sample())) + drawn(render_card(sample()))


def test_colour_on_a_terminal_is_ours_alone():
    hostile = sample(topics=(topic(1, None, 0, "x", 100, name=HOSTILE),))
    text = drawn(render_tree(hostile), force_terminal=True, color_system="standard")
    assert set(re.findall(r"\x1b\[[\d;]*m", text)) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m"}
    assert "\x1b]" not in text


def test_hostile_strings_anywhere_are_shown_not_obeyed():
    phrase = sample().topics[0].phrases[0]
    card = guarantee(covers=(HOSTILE,), does_not_cover=(HOSTILE,), neighbouring=HOSTILE, bounds={HOSTILE: 3})
    card = replace(card, mechanisms=tuple(replace(one, name=HOSTILE, statistic=HOSTILE) for one in card.mechanisms))
    bad = topic(1, None, 0, "x", 100, name=HOSTILE, phrases=(replace(phrase, text=HOSTILE),))
    release = sample(dataset=HOSTILE, epoch=HOSTILE, policy_name=HOSTILE, guarantee=card, topics=(bad,))
    text = drawn(render_tree(release), 300) + drawn(render_card(release), 300)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", text)
    assert "[bold]markup[/bold]" in text


def test_markup_in_a_name_is_text():
    assert "".join(MARKUP.split()) in "".join(drawn(render_tree(sample()), 200).split())


def test_letters_of_all_scripts_and_emoji_stay_as_they_are():
    others = ("Übung für später", "编写代码", "می\u200cخواهم", "👩\u200d💻", "हिन्दी", "plain")
    for text in others:
        assert visible(text) == text


def test_the_card_names_unit_epsilon_bounds_promises_and_every_mechanism():
    text = drawn(render_card(sample()), 120)
    for part in (
        sample().id, "user", "1.483, 1e-07", "0.08", "add or remove one user", "topics per user ≤ 5", "sha256:5f5f",
        "+ which topics exist", "- what a group", "vocabulary", "56.0%", "5e-08", "104", "2025-06",
    ):  # fmt: skip
        assert part in text


def test_a_guarded_release_says_so_on_tree_and_card():
    guarded = sample(guarantee=guarantee(mode="guarded"))
    for view in (render_tree(guarded), render_card(guarded)):
        assert "no formal guarantee" in drawn(view)
    assert "no formal guarantee" not in drawn(render_tree(sample())) + drawn(render_card(sample()))


def test_a_release_without_topics_says_why():
    assert "No topic had enough users" in drawn(render_tree(sample(topics=())))
