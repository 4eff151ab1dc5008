"""The stand-in's rules: read strictly, applied in any order of calls alike, and kept in a journal that survives."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sfumato.errors import InputError, StorageError
from sfumato.standin import faults, rules_file
from sfumato.standin.call import digest, read
from sfumato.standin.desk import Desk
from sfumato.standin.faults import Chooser, Rule, Rules, When
from sfumato.standin.journal import HEADER, Journal
from sfumato.standin.words import read as read_prompt

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = {"type": "object", "properties": {"summary": {"type": "string"}}, "additionalProperties": False}


def body(text: str = "bread", **more: object) -> dict:
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    message = {"role": "user", "content": text}
    return {"model": "m", "max_tokens": 100, "messages": [message], "output_config": wanted} | more


def kinds(rules: Rules, texts: list[str]) -> dict[str, str]:
    chooser = Chooser(rules=rules)
    return {text: chooser.of_call(read(body(text)), "messages", 0).name for text in texts}


def test_a_share_of_calls_fails_in_every_way_and_the_order_of_calls_decides_nothing() -> None:
    rules = Rules(seed=3).also(faults.failing(0.3))
    texts = [f"prompt {word}" for word in range(2000)]
    forward = kinds(rules, texts)
    assert kinds(rules, texts[::-1]) == forward
    tally = Counter(forward.values())
    assert 0.25 < 1 - tally["answer"] / len(texts) < 0.35
    every = {"refuse", "lie", "markup", "malformed", "truncate", "drop", "stall", "error_429", "error_500", "error_529"}
    assert set(tally) == every | {"answer"}
    assert kinds(Rules(seed=4).also(faults.failing(0.3)), texts) != forward


def test_a_failed_call_is_drawn_anew_when_it_is_tried_again() -> None:
    chooser = Chooser(rules=Rules().also(faults.failing(0.5)))
    drawn = {chooser.of_call(read(body()), "messages", attempt).kind == "answer" for attempt in range(40)}
    assert drawn == {True, False}


def test_a_rule_holds_for_its_words_its_properties_and_every_nth_call() -> None:
    rules = Rules(
        rules=(
            Rule(when=When(contains="visa"), do="refuse"),
            Rule(when=When(properties=("rating",)), do="lie"),
            Rule(when=When(properties=("summary",), every=3), do="error", status=529),
        )
    )
    chooser = Chooser(rules=rules)
    asked = ["visa", *["bread"] * 6]
    assert [chooser.of_call(read(body(text)), "messages", 0).name for text in asked] == [
        "refuse", "answer", "answer", "error_529", "answer", "answer", "error_529",
    ]  # fmt: skip


YAML = """
seed: 7
rules:
  - when: {properties: [summary], contains: bread, probability: 0.5, every: 2}
    do: error
    status: 429
    retry_after: 0.1
  - {do: slow, seconds: 1}
"""


def test_rules_are_read_from_yaml_and_json(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(YAML)
    loaded = rules_file.load(file)
    assert loaded.seed == 7
    assert loaded.rules[0].when.properties == ("summary",)
    file.write_text(loaded.model_dump_json(exclude_none=True))
    assert rules_file.load(file) == loaded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "not valid YAML"),
        ("seed: 1\nseed: 2", "not valid YAML"),
        ("rule: []", "'rule'"),
        ("seed: yes", "'seed'"),
        ("rules: [{do: explode}]", "'rules.0.do'"),
        ("rules: [{do: error}]", "`status` goes with"),
        ("rules: [{do: error, status: 404}]", "'rules.0.status'"),
        ("rules: [{do: refuse, seconds: 1}]", "`seconds` goes with"),
        ("rules: [{do: drop, when: {probability: 2}}]", "'rules.0.when.probability'"),
        ("rules: [{do: lie, when: {request: create}}]", "can only fail on the way"),
        ("- a", "the whole file"),
    ],
    ids=["yaml", "twice", "key", "type", "deed", "no status", "status", "seconds", "chance", "request", "list"],
)
def test_a_wrong_rules_file_is_refused_in_one_line_that_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match="the rules file") as refused:
        rules_file.load(file)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_rules_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        rules_file.load(tmp_path / "none.yaml")


def test_rules_in_code_are_as_strict_as_in_a_file() -> None:
    with pytest.raises(ValidationError):
        Rule(do="slow", status=500)


@pytest.mark.parametrize(
    "change",
    [
        {"model": ""},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"messages": []},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
        {"messages": [{"role": "user", "content": " "}]},
        {"output_config": {"format": {"type": "text"}}},
        {"stream": True},
        {"tools": [{"name": "t"}]},
    ],
    ids=["model", "tokens", "bool", "messages", "role", "image", "blank", "format", "stream", "tools"],
)
def test_what_the_api_would_not_take_is_an_input_error_without_the_text(change: dict) -> None:
    with pytest.raises(InputError) as refused:
        read(body("secret bread") | change)
    assert "secret" not in str(refused.value)


def test_a_schema_between_fences_in_the_instructions_counts_as_the_wanted_shape() -> None:
    system = 'Reply so:\n```json\n{"type": "object", "properties": {"rating": {"type": "integer"}}}\n```'
    call = read({"model": "m", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": "bread"}]})
    assert call.schema is not None
    assert call.schema["properties"] == {"rating": {"type": "integer"}}
    assert call.digest == digest(system, "bread", call.schema)


@pytest.mark.parametrize(
    ("schema", "lax"),
    [
        (SCHEMA, False),
        ({"type": "object", "properties": {"maximum": {"type": "string"}}, "additionalProperties": False}, False),
        ({"type": "object", "properties": {}}, True),
        ({**SCHEMA, "properties": {"level": {"type": "integer", "maximum": 5}}}, True),
        ({**SCHEMA, "properties": {"labels": {"type": "array", "items": {"type": "string"}, "maxItems": 3}}}, True),
    ],
    ids=["strict", "a name like a keyword", "open object", "maximum", "maxItems"],
)
def test_schemas_that_the_real_api_refuses_are_noticed(schema: dict, lax: bool) -> None:
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    assert read(body(output_config=wanted)).lax_schema is lax


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "a"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.sampled_from(["messages", "system", "output_config", "max_tokens", "model"]), JSON, JSON)
def test_any_request_ends_in_a_message_or_in_an_error_of_ours(field: str, value: object, schema: object) -> None:
    """Fuzz: nothing that JSON can say makes the stand-in fail in a way it does not know."""
    held = desk()
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    for params in (value, body() | {field: value}, body(output_config=wanted)):
        settled = held.decide(params)
        assert settled.body["type"] == ("error" if settled.event["kind"] == "rejected" else "message")


@pytest.mark.parametrize(
    "text",
    ["\n" * 50_000 + "x", "<a>" * 20_000, "<conversation>" + " \t" * 50_000, "- " + "a " * 50_000, "a:" * 50_000],
    ids=["blank lines", "open tags", "no end", "one line", "colons"],
)
def test_no_text_takes_longer_than_its_length_warrants(text: str) -> None:
    read_prompt("warm up: the word lists are loaded")
    before = time.process_time()
    read_prompt(text)
    assert time.process_time() - before < 2


def desk(journal: Journal | None = None) -> Desk:
    return Desk(rules=Rules(), batch_seconds=0, journal=journal)


def test_a_journal_gives_back_the_counts_and_loses_only_a_half_written_event(tmp_path: Path) -> None:
    path = tmp_path / "state"
    journal, events = Journal.open(path)
    assert events == []
    first = desk(journal)
    for text in ("bread", "bread", "oven"):
        first.record(first.decide(body(text)).event)
    journal.close()
    assert path.stat().st_mode & 0o077 == 0
    assert b"bread" not in path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"event":"call","kind":"ans')
    journal, events = Journal.open(path)
    second = desk(journal)
    second.replay(events)
    shown = second.counters.shown()
    assert (shown["calls"], shown["prompts"], shown["prompts_answered_twice"]) == (3, 2, 1)
    assert shown["tokens"] == first.counters.shown()["tokens"]
    second.reset()
    journal.close()
    assert path.read_bytes() == HEADER


def test_a_state_file_is_held_by_one_server_and_never_some_other_file(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path / "state")
    with pytest.raises(StorageError, match="held by another"):
        Journal.open(tmp_path / "state")
    journal.close()
    other = tmp_path / "diary"
    other.write_text("dear diary\n")
    with pytest.raises(InputError, match="not written by the model-server"):
        Journal.open(other)
    assert other.read_text() == "dear diary\n"
    (tmp_path / "state").write_bytes(HEADER + b'{"event":"settled","id":"x"}\n')
    journal, events = Journal.open(tmp_path / "state")
    with pytest.raises(InputError, match="damaged"):
        desk(journal).replay(events)
    journal.close()


def test_two_askings_of_one_prompt_at_a_time_are_two_attempts() -> None:
    held = Desk(rules=Rules(), batch_seconds=0)
    bodies = [held.decide(body()).body for _ in range(2)]
    assert bodies[0]["id"] != bodies[1]["id"]
