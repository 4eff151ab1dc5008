"""Rows that a program holds are read as a file's lines are, one at a time, and a bad one is named by its place."""

from __future__ import annotations

import json
import tracemalloc
from collections import UserDict
from datetime import UTC, datetime
from uuid import UUID

import pytest

from sfumato.errors import InputError
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.record import FieldMapping
from sfumato.ingest.report import IngestReport
from sfumato.ingest.rows import rows

NAMES = Pseudonyms(bytes(32), dataset="test")
MOMENT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def take(source, *, report=None, limits=None):
    return read(
        source,
        mapping=FieldMapping(),
        unit="user",
        limits=limits or Limits(),
        pseudonyms=NAMES,
        report=report or IngestReport(),
    )


def record(number, **more):
    return {"conversation_id": f"c{number}", "user_id": f"u{number}", "text": f"half \ud800 a pair, {number}"} | more


def told(conversation):
    """All that a conversation holds, since it refuses to be shown whole."""
    messages = [(one.role, one.content) for one in conversation.messages]
    return conversation.conversation_id, conversation.unit_id, conversation.timestamp, messages


def test_rows_are_the_conversations_that_a_file_of_them_would_be(tmp_path):
    records = [record(number, timestamp=MOMENT.isoformat()) for number in range(50)]
    path = tmp_path / "chats"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    assert [told(one) for one in take(rows(records, name="chats"))] == [told(one) for one in take(path)]


def test_rows_without_an_id_are_those_of_a_file_of_the_same_name(tmp_path):
    records = [{"user_id": "u", "text": "the same words"}, {"user_id": "u", "text": "the same words"}]
    path = tmp_path / "chats"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    assert [one.conversation_id for one in take(rows(records, name="chats"))] == [
        one.conversation_id for one in take(path)
    ]


def test_times_ids_and_mappings_of_a_database_driver_are_taken():
    owner = UUID(int=7)
    row = UserDict(record(1, user_id=owner, timestamp=MOMENT))
    (one,) = take(rows([row], name="table"))
    assert one.unit_id == NAMES.user(str(owner))
    assert one.timestamp == MOMENT


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(9, extra=object()), "not_json"),
        (record(9, extra=float("nan")), "not_json"),
        (record(9, extra={1: "a", "1": "b"}), "not_json"),
        (record(9, extra=b"bytes"), "not_json"),
        (["a", "list"], "not_object"),
        (None, "not_object"),
        ({"text": "nobody's"}, "no_user"),
        (record(9, text="x" * 2000), "too_long"),
    ],
    ids=["object", "nan", "key twice", "bytes", "list", "none", "no user", "long"],
)
def test_a_bad_row_is_named_by_its_place_and_its_neighbours_stay(bad, reason):
    report = IngestReport()
    found = list(take(rows([record(1), bad, record(3)], name="t"), report=report, limits=Limits(line_bytes=1000)))
    assert len(found) == 2
    assert report.rejections == {reason: 1}
    assert report.places == {reason: [2]}


def test_a_row_that_holds_itself_is_turned_away():
    row = record(1)
    row["again"] = row
    report = IngestReport()
    assert len(list(take(rows([row, record(2)], name="t"), report=report))) == 1
    assert report.places == {"not_json": [1]}


def test_what_iterating_raises_goes_on_to_the_caller_after_the_rows_before_it():
    def cursor():
        yield record(1)
        raise KeyError("the driver's own")

    taken = take(rows(cursor(), name="t"))
    assert told(next(taken))[0]
    with pytest.raises(KeyError, match="the driver's own"):
        next(taken)


def test_no_rows_are_an_input_error_by_the_name_of_the_source():
    with pytest.raises(InputError, match=r"warehouse\.chats is empty"):
        list(take(rows([], name="warehouse.chats")))


def test_one_row_at_a_time_is_in_memory():
    def cursor():
        for number in range(200):
            yield record(number, text=f"{number} " + "word " * 20_000)

    tracemalloc.start()
    assert sum(1 for _ in take(rows(cursor(), name="t"))) == 200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000  # all of them are 20 MB
