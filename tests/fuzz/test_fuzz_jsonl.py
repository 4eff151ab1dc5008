"""The promise of the JSON Lines reader: conversations, counted rejections or InputError, and nothing else."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sfumato.errors import InputError
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.record import FieldMapping
from sfumato.ingest.report import IngestReport
from sfumato.model.conversation import Conversation

NAMES = Pseudonyms(bytes(32), dataset="fuzz")
GOOD = b'{"conversation_id": 1, "user_id": "ada", "messages": [{"role": "user", "content": "hello \\ud83d"}]}\n'

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters(codec=None), max_size=8)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner), max_leaves=8
)
keys = st.sampled_from(["conversation_id", "user_id", "text", "timestamp", "attributes", "role", "content", "type"])
turns = st.dictionaries(keys, values, max_size=4)
records = st.dictionaries(keys, values, max_size=5) | st.builds(
    lambda record, messages: record | {"messages": messages},
    st.dictionaries(keys, values, max_size=3),
    values | st.lists(turns, max_size=3),
)


def check(path, content, unit="user"):
    """Read it and hold the promise; how many were accepted."""
    path.write_bytes(content)
    report, found = IngestReport(), []
    reading = read(
        path,
        mapping=FieldMapping(wanted=("role", "a.b"), user_id="user_id"),
        unit=unit,
        limits=Limits(line_bytes=200),
        pseudonyms=NAMES,
        report=report,
    )
    try:
        for one in reading:
            found.append(one)  # noqa: PERF402 - what came before an error counts
    except InputError as refused:
        assert "\n" not in str(refused)  # noqa: PT017
    assert report.accepted == len(found)
    assert report.lines == len(found) + report.rejected
    for one in found:
        assert isinstance(one, Conversation)
        assert len(one.unit_id) == len(one.conversation_id) == 16
        assert any(message.role == "user" and message.content.strip() for message in one.messages)
        for message in one.messages:
            message.content.encode()
    return len(found)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "log.jsonl"


quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)


@quiet
@given(content=st.binary(max_size=400))
@example(content=b"\x1f\x8b")
@example(content=b"\xef\xbb\xbf")
@example(content=b"\n\n{}")
def test_random_bytes(path, content):
    check(path, content)


@quiet
@given(lines=st.lists(records, max_size=4), unit=st.sampled_from(["user", "conversation"]))
def test_records_of_any_shape(path, lines, unit):
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    check(path, content, unit)


@quiet
@given(data=st.data())
def test_a_mutated_log(path, data):
    content = bytearray(GOOD * 5)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(path, bytes(content))


@quiet
@given(data=st.data())
def test_a_mutated_gzip_log(path, data):
    content = bytearray(gzip.compress(GOOD * 50, mtime=0))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(path, bytes(content[: data.draw(st.integers(1, len(content)))]))


def test_the_unmutated_log_is_taken(path):
    """The fuzz tests above start from something that works."""
    assert check(path, GOOD * 5) == 5
    assert check(path, gzip.compress(GOOD * 50)) == 50
