"""Replies are clipped to what may be: nothing raises, nothing out of its domain or form comes through."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.extract.answers import SUMMARY_CHARACTERS, lets_through, parse
from sfumato.extract.facets import category, computed, multi_label, number, path, scale, yes_no
from sfumato.extract.phrases import label
from sfumato.model.prompt import Reply
from sfumato.model.taxonomy import Node, Taxonomy

TREE = Taxonomy(
    nodes=(Node(id="a", parent=None, name="Art"), Node(id="b", parent="a", name="Brushes")), digest="0" * 64
)
FACETS = {
    "use": category("use", ("work", "play"), ask="?"),
    "many": multi_label("many", ("x", "y", "z"), ask="?", at_most=2),
    "scale": scale("scale", 1, 5, ask="?"),
    "number": number("number", (0, 10), ask="?"),
    "flag": yes_no("flag", ask="?"),
    "area": path("area", TREE, ask="?"),
}
ALL = (*FACETS.values(), computed("turns"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["x", "work"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def values(name, value):
    facet = FACETS[name]
    return [facet.domain[code] for code in parse(Reply(fields={name: value}), ALL).codes[name]]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("use", "work", ["work"]),
        ("use", "Work", ["unknown"]),
        ("use", ["work"], ["unknown"]),
        ("use", {"work": 1}, ["unknown"]),
        ("many", ["z", "x"], ["z", "x"]),
        ("many", ["x", "x", "no", 7, "y", "z"], ["x", "y"]),
        ("many", "x", ["unknown"]),
        ("many", [], ["unknown"]),
        ("many", ["unknown"], ["unknown"]),
        ("many", [["x"]], ["unknown"]),
        ("scale", "3", ["3"]),
        ("scale", 3, ["3"]),
        ("scale", 3.0, ["3"]),
        ("scale", 3.5, ["unknown"]),
        ("scale", 6, ["unknown"]),
        ("scale", True, ["unknown"]),
        ("scale", math.nan, ["unknown"]),
        ("number", 7, ["0-10"]),
        ("number", -0.5, ["<0"]),
        pytest.param("number", 10**400, ["unknown"], id="number-huge"),
        ("number", math.inf, ["unknown"]),
        ("number", "7", ["unknown"]),
        ("number", True, ["unknown"]),
        ("number", None, ["unknown"]),
        ("flag", "yes", ["yes"]),
        ("flag", True, ["unknown"]),
        ("area", "Art", ["a"]),
        ("area", "Brushes", ["unknown"]),
        ("area", "a", ["unknown"]),
    ],
)
def test_an_answer_counts_only_as_the_schema_allows_it(name, value, expected):
    assert values(name, value) == expected


@pytest.mark.parametrize("reply", [None, Reply(fields=None, failure="refused"), Reply(fields={})], ids=str)
def test_without_an_answer_all_is_unknown(reply):
    found = parse(reply, ALL)
    assert (found.summary, found.labels) == ("", ())
    assert found.codes == {name: (facet.unknown,) for name, facet in FACETS.items()}


def test_the_fields_of_a_failed_reply_are_not_read():
    assert parse(Reply(fields={"use": "work"}, failure="truncated"), ALL).codes["use"] == (2,)


@pytest.mark.parametrize("said", ["Yes", "yes ", True, ["yes"], None, "no"], ids=repr)
def test_only_yes_exactly_lets_a_conversation_through(said):
    assert lets_through(Reply(fields={"answer": "yes"}))
    assert not lets_through(Reply(fields={"answer": said}))
    assert not lets_through(Reply(fields={"answer": "yes"}, failure="malformed"))
    assert not lets_through(None)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Debug Python code!", "debug python code"),
        ("how to bake a sourdough bread", "bake sourdough bread"),
        ("<b>plan trips</b>", "plan trips"),
        ("<a href='https://example.org'>tax law</a>", "tax law"),
        ("write to anna@example.org", "write"),
        ("gpt4 prompts 2024", "prompts"),
        ("ｔａｘ　ｌａｗ", "tax law"),
        ("letter of recommendation", "letter of recommendation"),
        ("c++ templates", "c++ templates"),
        ("traduire une lettre", "traduire une lettre"),
        ("one two three four five six", ""),
        ("explain", ""),
        ("12345", ""),
        ("りんごの木", ""),
        ("pneumo" * 9, ""),
        ("interdisciplinary characteristics everywhere misunderstanding", ""),
        ("a\x00\u202eb\ncd efg", "efg"),
    ],
)
def test_a_label_is_brought_into_the_form_of_a_candidate_phrase_or_dropped(written, kept):
    assert label(written) == kept


def test_labels_are_at_most_three_distinct_ones():
    fields = {"labels": ["Tax law", "tax law!", 5, "", "visa", "rent", "bread"]}
    assert parse(Reply(fields=fields), ()).labels == ("tax law", "visa", "rent")
    assert parse(Reply(fields={"labels": "tax law"}), ()).labels == ()


def test_a_summary_is_one_line_without_control_characters():
    written = "They\nask\x00 about\u202e bread\ud83d." + "x" * 900
    summary = parse(Reply(fields={"summary": written}), ()).summary
    assert summary.startswith("They ask about bread .x")
    assert len(summary) == SUMMARY_CHARACTERS
    assert summary.isprintable()
    assert parse(Reply(fields={"summary": 7}), ()).summary == ""


@given(fields=st.dictionaries(st.sampled_from([*FACETS, "summary", "labels"]), JSON))
def test_whatever_comes_codes_lie_in_the_domain_and_labels_have_their_form(fields):
    found = parse(Reply(fields=fields), ALL)
    assert found.codes.keys() == FACETS.keys()
    for name, codes in found.codes.items():
        facet = FACETS[name]
        assert 1 <= len(codes) == len(set(codes)) <= max(1, facet.at_most)
        assert all(0 <= code <= facet.unknown for code in codes)
        assert facet.unknown not in codes or codes == (facet.unknown,)
    assert len(found.labels) <= 3
    assert all(1 <= len(one.split(" ")) <= 4 and len(one) <= 40 for one in found.labels)
    assert len(found.summary) <= SUMMARY_CHARACTERS
    assert "\n" not in found.summary
