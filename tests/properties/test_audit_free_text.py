"""Whatever somebody tries to write into an audit entry: closed words, digests and ids get in, free text does not."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits import event
from sfumato.audit.event import Charge, Event, Shape, decode, encode

STRINGS = [field.name for field in dataclasses.fields(Event) if field.name not in {"shape", "charge"}]
NAMES = ("by", "where", "topics")
TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", re.ASCII)
FREE = st.text(min_size=1).filter(lambda text: not TOKEN.fullmatch(text))
SPACES = st.sampled_from([" ", "\t", "\n", "\r", "\u00a0", "\u2028", "\u3000", "\x00", ""])


@pytest.mark.parametrize("field", STRINGS)
@given(text=FREE)
def test_no_string_field_takes_free_text_and_the_refusal_does_not_repeat_it(field: str, text: str) -> None:
    with pytest.raises(ValueError, match="audit entry") as refusal:
        event(**{field: text})
    assert str(refusal.value) in {
        f"an audit entry's {field} holds what may not be there",
        "an audit entry has a role exactly where an API key acts",
    }


@pytest.mark.parametrize("field", STRINGS)
@given(before=SPACES, after=SPACES)
def test_not_even_a_good_value_may_have_white_space_about_it(field: str, before: str, after: str) -> None:
    good = {"release": "rel_" + "0" * 20, "receipt": "0" * 32, "key": "0" * 16}.get(field) or getattr(event(), field)
    assert getattr(event(**{field: good}), field) == good
    if before or after:
        with pytest.raises(ValueError, match="audit entry"):
            event(**{field: f"{before}{good}{after}"})


@pytest.mark.parametrize("field", [*NAMES, "measure"])
@given(text=FREE)
def test_no_part_of_a_question_s_shape_takes_free_text(field: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"shape.{field}"):
        Shape(**({"measure": "users"} | {field: text if field == "measure" else (text,)}))


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.lists(st.text())))
def test_no_value_of_another_type_gets_in(value: object) -> None:
    for field in STRINGS:
        if value is not None:
            with pytest.raises(ValueError, match="audit entry"):
                event(**{field: value})
    with pytest.raises(ValueError, match="shape"):
        Shape(measure="users", by=value)
    if type(value) is not int or value < 0:
        with pytest.raises(ValueError, match="charge"):
            Charge(rho=value, delta=0)


@given(st.text())
def test_a_question_names_only_what_is_declared_or_released(name: str) -> None:
    for field, known in (("by", "language"), ("where", "language"), ("topics", "t001")):
        shape = Shape.of("users", **{field: [known]}, declared={"language"}, released={"t001"})
        assert getattr(shape, field) == (known,)
        if name not in {"language", "t001"}:
            with pytest.raises(ValueError, match="audit entry"):
                Shape.of("users", **{field: [name]}, declared={"language"}, released={"t001"})


WORD = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
EVENTS = st.builds(
    event,
    number=st.integers(0, 2**53 - 1),
    dataset=WORD | st.none(),
    rule=st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z][a-z0-9_]{0,8}){0,3}", fullmatch=True),
    epoch=st.sampled_from([None, "2026", "2026-11", "2026-11-21", "2026-W47", "2026-Q4"]),
    release=st.from_regex("rel_[0-9a-f]{20}", fullmatch=True) | st.none(),
    receipt=st.from_regex("[0-9a-f]{32}", fullmatch=True) | st.none(),
    shape=st.none() | st.builds(Shape, measure=st.sampled_from(["users", "mean"]), where=st.tuples(WORD, WORD)),
)


@given(EVENTS, st.integers(0, 2**53 - 1))
def test_every_entry_reads_back_as_it_was_and_holds_no_white_space(one: Event, seq: int) -> None:
    body = encode(one, seq)
    assert decode(body) == (seq, one)
    assert body.isascii()
    assert not re.search(rb"\s", body)
