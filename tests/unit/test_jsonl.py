"""JSON Lines: what is taken, what is turned away and under which name; ids stay stable, memory bounded."""

from __future__ import annotations

import gzip
import io
import json
import sys
import time
import tracemalloc
import zlib
from datetime import UTC, datetime

import pytest

from sfumato.errors import InputError
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.record import FieldMapping
from sfumato.ingest.report import IngestReport

NAMES = Pseudonyms(bytes(32), dataset="test")
GOOD = {"conversation_id": "c1", "user_id": "ada", "messages": [{"role": "user", "content": "hello there"}]}


def take(source, *, unit="user", report=None, limits=None, **mapping):
    return read(
        source,
        mapping=FieldMapping(**mapping),
        unit=unit,
        limits=limits or Limits(),
        pseudonyms=NAMES,
        report=report or IngestReport(),
    )


@pytest.fixture
def put(tmp_path):
    def put(*records, name="log.jsonl"):
        lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        path = tmp_path / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return put


def only(found):
    (one,) = found
    return one


def test_a_full_record_becomes_a_conversation(put):
    record = GOOD | {
        "timestamp": "2026-03-01T12:00:00+02:00",
        "attributes": {"plan": "pro", "secret": "no"},
        "extra": [1],
    }
    one = only(take(put(record), wanted=("plan",)))
    assert one.unit_id == NAMES.user("ada")
    assert one.conversation_id == NAMES.conversation("c1", within=one.unit_id)
    assert [(m.role, m.content) for m in one.messages] == [("user", "hello there")]
    assert one.timestamp == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert one.timestamp.utcoffset().total_seconds() == 0
    assert one.attributes == {"plan": "pro"}


def test_no_raw_id_is_left_in_a_conversation(put):
    one = only(take(put(GOOD | {"user_id": "ada-lovelace-1815", "conversation_id": "difference-engine"})))
    held = (one.unit_id, one.conversation_id, one.messages[0].content, one.attributes)
    assert not any(name in str(value) for value in held for name in ("ada-lovelace", "difference"))


def test_names_are_mapped_with_dotted_paths_and_dotted_keys(put):
    record = {"meta": {"thread": "t"}, "user.id": 7, "turns": [{"who": "human", "body": {"x": 1}, "says": "hi"}]}
    one = only(
        take(
            put(record), conversation_id="meta.thread", user_id="user.id", messages="turns", role="who", content="says"
        )
    )
    assert one.unit_id == NAMES.user("7")
    assert one.conversation_id == NAMES.conversation("t", within=one.unit_id)
    assert one.messages[0].role == "user"


def test_a_text_field_is_one_message_of_the_user(put):
    one = only(take(put({"user_id": "a", "text": "plain"})))
    assert [(m.role, m.content) for m in one.messages] == [("user", "plain")]


def test_content_parts_keep_text_only(put):
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": "x"},
        {"type": "text", "text": "here"},
    ]
    one = only(take(put(GOOD | {"messages": [{"role": "user", "content": parts}]})))
    assert one.messages[0].content == "look\nhere"


def test_only_the_opener_of_a_chat_is_the_unit(put):
    turns = [{"user_id": "ada", "content": "help"}, {"user_id": "bob", "content": "sure"}, {"content": "thanks"}]
    for record in ({"messages": turns}, {"messages": turns, "user_id": "ada"}):
        one = only(take(put(record)))
        assert one.unit_id == NAMES.user("ada")
        assert [m.role for m in one.messages] == ["user", "assistant", "user"]


def test_an_unknown_role_is_not_the_units_text_and_warns(put):
    report = IngestReport()
    record = GOOD | {"messages": [{"role": "user", "content": "a"}, {"role": "oracle", "content": "b"}]}
    one = only(take(put(record), report=report))
    assert [m.role for m in one.messages] == ["user", "assistant"]
    assert report.warnings == {"unknown_role": 1}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        (1772366400, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400000, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("1772366400000", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400.5, datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_times_are_read_to_utc(put, raw, expected):
    assert only(take(put(GOOD | {"timestamp": raw}))).timestamp == expected


@pytest.mark.parametrize("raw", ["yesterday", True, 10**30, [1], {}, "", "9" * 5000, "0001-01-01T00:00:00+14:00"])
def test_an_unreadable_time_is_none_and_warns(put, raw):
    report = IngestReport()
    assert only(take(put(GOOD | {"timestamp": raw}), report=report)).timestamp is None
    assert report.warnings == {"bad_timestamp": 1}
    assert "bad_timestamp 1 (line 1)" in report.summary()


def test_declared_attributes_are_short_scalars_or_nothing(put):
    report = IngestReport()
    record = GOOD | {"attributes": {"a": 1, "b": True, "c": "x" * 65, "d": [1], "e": " s "}, "top": "t", "f": None}
    one = only(take(put(record), report=report, wanted=("a", "b", "c", "d", "e", "f", "top")))
    assert one.attributes == {"a": "1", "b": "true", "e": "s", "top": "t"}
    assert report.warnings == {"odd_attribute": 2}


BAD = [
    (b"{oops", "not_json"),
    (b'{"user_id": NaN, "text": "x"}', "not_json"),
    (b'{"user_id": "a", "user_id": "b", "text": "x"}', "not_json"),
    (b"[" * 100_000, "not_json"),
    (b'{"user_id": ' + b"9" * 5000 + b', "text": "x"}', "not_json"),
    (b"[1, 2]", "not_object"),
    (b'"text"', "not_object"),
    (b'{"text": "\xff"}', "not_utf8"),
    (b'{"text": "no user"}', "no_user"),
    (b'{"user_id": " ", "text": "x"}', "no_user"),
    (b'{"user_id": "a"}', "no_text"),
    (b'{"user_id": "a", "text": " "}', "no_text"),
    (b'{"user_id": "a", "messages": []}', "no_text"),
    (b'{"user_id": "a", "messages": [{"role": "assistant", "content": "x"}]}', "no_text"),
    (b'{"user_id": "a", "messages": "x"}', "bad_messages"),
    (b'{"user_id": "a", "messages": ["x"]}', "bad_messages"),
    (b'{"user_id": "a", "messages": [{"content": 3}]}', "bad_messages"),
    (b'{"user_id": "a", "messages": [{"role": 3, "content": "x"}]}', "bad_messages"),
    (b'{"user_id": "a", "text": "' + b"x" * 200_000 + b'"}', "too_long"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_line_is_counted_and_named_and_its_neighbours_stay(put, line, reason):
    report = IngestReport()
    found = list(take(put(GOOD, line, b"  ", GOOD), report=report, limits=Limits(line_bytes=150_000)))
    assert len(found) == 2
    assert report.rejections == {reason: 1}
    assert report.places == {reason: [2]}
    assert report.summary() == f"3 read, 2 accepted, 1 rejected: {reason} 1 (line 2)"


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_strict_ends_at_the_first_bad_line_with_its_number_and_no_text_of_it(put, line, reason):
    found = take(put(GOOD, line, GOOD), limits=Limits(line_bytes=150_000, strict=True))
    next(found)
    with pytest.raises(InputError, match=f"line 2: {reason}") as caught:
        next(found)
    assert "no user" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_summary_names_the_first_lines_of_many(put):
    report = IngestReport()
    list(take(put(GOOD, *[b"x"] * 1500), report=report))
    assert report.summary() == "1,501 read, 1 accepted, 1,500 rejected: not_json 1,500 (lines 2, 3, 4, 5, 6, ...)"
    assert report.places["not_json"] == list(range(2, 22))
    assert "1,5" not in repr(report)


def test_the_report_as_a_dict_says_the_same(put):
    report = IngestReport()
    list(take(put(GOOD, b"x", GOOD | {"timestamp": "never"}), report=report))
    assert report.as_dict() == {
        "lines": 3,
        "bytes": report.bytes,
        "accepted": 2,
        "rejected": 1,
        "rejections": {"not_json": 1},
        "warnings": {"bad_timestamp": 1},
        "first_lines": {"not_json": [2], "bad_timestamp": [3]},
    }


def test_a_conversation_dated_outside_the_epoch_is_turned_away_and_an_undated_one_taken(put):
    report = IngestReport()
    window = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    times = [
        "2026-03-01",
        "2026-03-31T23:59:59Z",
        None,
        "2026-04-01",
        "2026-02-28T23:59:59Z",
        "2026-03-01T00:30:00+01:00",
    ]
    path = put(*[GOOD | {"timestamp": raw} for raw in times])
    assert len(list(take(path, report=report, limits=Limits(window=window)))) == 3
    assert report.rejections == {"wrong_epoch": 3}
    assert report.places == {"wrong_epoch": [4, 5, 6]}


def test_where_the_conversation_is_the_unit_no_user_is_needed_and_equal_lines_are_one_unit(put):
    same = {"text": "hi"}
    found = list(take(put(same, same, {"text": "hi", "conversation_id": "c"}), unit="conversation"))
    assert len({one.unit_id for one in found}) == 2
    assert all(one.unit_id == one.conversation_id for one in found)
    assert found[2].unit_id == NAMES.conversation("c")


def test_where_the_conversation_is_the_unit_one_id_is_one_unit_whoever_wrote(put):
    found = list(take(put(GOOD, GOOD | {"user_id": "bob"}), unit="conversation"))
    assert found[0].unit_id == found[1].unit_id


def test_an_id_made_for_a_line_does_not_hang_on_other_peoples_lines(put):
    """Else one user's records would decide which of another user's conversations are sampled."""
    mine = {"user_id": "ada", "text": "how do I bake bread"}
    alone = only(take(put(mine)))
    after = list(take(put({"user_id": "bob", "text": "x"}, mine)))[1]
    assert alone.conversation_id == after.conversation_id


def test_reading_again_gives_the_same_ids(put):
    path = put(GOOD, {"user_id": "bob", "text": "x"}, {"user_id": "bob", "text": "y"})
    for unit in ("user", "conversation"):
        first, second = ([one.conversation_id for one in take(path, unit=unit)] for _ in range(2))
        assert first == second
        assert len(set(first)) == 3


def test_half_a_surrogate_pair_becomes_the_replacement_character(put):
    one = only(take(put(b'{"user_id": "a", "text": "x \\ud83d y \\ud83d\\ude00"}')))
    assert one.messages[0].content == "x \ufffd y \U0001f600"


def test_gzip_is_known_by_its_bytes(put, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()) + gzip.compress(b"\n" + json.dumps(GOOD).encode()))
    assert len(list(take(path))) == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_and_left_open(monkeypatch, pack):
    stream = io.BufferedReader(io.BytesIO(pack(json.dumps(GOOD).encode())))
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": stream}))
    assert len(list(take("-"))) == 1
    assert not stream.closed


def test_a_utf8_byte_order_mark_and_crlf_are_tolerated(put):
    line = json.dumps(GOOD).encode()
    assert len(list(take(put(b"\xef\xbb\xbf" + line + b"\r", line + b"\r")))) == 2


def test_a_last_line_without_newline_is_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(json.dumps(GOOD).encode())
    assert len(list(take(path))) == 1


@pytest.mark.parametrize("cut", [12, 200, 2000])
def test_a_gzip_cut_short_gives_what_came_before_then_says_so(tmp_path, cut):
    packed = gzip.compress(b"\n".join(json.dumps(GOOD | {"conversation_id": i}).encode() for i in range(20_000)))
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed[:-cut])
    report = IngestReport()
    found = []
    with pytest.raises(InputError, match=r"breaks off after line [\d,]+; what came before was read"):
        found.extend(iter_into(found, take(path, report=report)))
    there = zlib.decompressobj(31).decompress(packed[:-cut]).count(b"\n")
    assert len(found) == report.accepted == there > 0


def iter_into(found, items):
    for item in items:
        found.append(item)
    return ()


def test_a_corrupt_gzip_is_an_input_error(tmp_path):
    packed = bytearray(
        gzip.compress(b"\n".join(json.dumps(GOOD | {"conversation_id": i}).encode() for i in range(9000)))
    )
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed)
    with pytest.raises(InputError, match="is damaged after line"):
        list(take(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n\n", "is empty"),
        (b"PNG\x00\x00", "looks binary"),
        ("\ufeff{}".encode("utf-16"), "UTF-16"),
        ('{"text": "x"}'.encode("utf-16-le"), "looks binary"),
        (b"PAR1xx", "Parquet"),
        (b"x\ny\n", r"no line could be accepted: not_json 2 \(lines 1, 2\)"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
    ids=["nothing", "blank lines", "an image", "utf-16", "utf-16 without a mark", "parquet", "no json", "empty gzip"],
)
def test_a_whole_input_that_is_wrong_is_one_clear_line(tmp_path, content, words):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        list(take(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(take(tmp_path / "none"))
    with pytest.raises(InputError, match="is a directory"):
        list(take(tmp_path))


def test_a_huge_line_is_passed_over_without_being_held(tmp_path):
    """64 MiB without a newline cost less than 8 MiB of memory, and the lines around it are read."""
    path = tmp_path / "log.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(json.dumps(GOOD).encode() + b"\n")
        for _ in range(64):
            out.write(b"x" * (1 << 20))
        out.write(b"\n" + json.dumps(GOOD).encode())
    report = IngestReport()
    tracemalloc.start()
    try:
        found = list(take(path, report=report, limits=Limits(line_bytes=1 << 20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 2
    assert report.places == {"too_long": [2]}
    assert peak < 8 << 20


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path):
    def peak(count):
        path = tmp_path / f"{count}.jsonl"
        path.write_bytes(b"\n".join(json.dumps(GOOD | {"conversation_id": i}).encode() for i in range(count)))
        tracemalloc.start()
        try:
            assert sum(1 for _ in take(path)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(20_000) < 1.5 * peak(5_000)


def test_short_conversations_are_read_at_a_useful_rate(put):
    """A floor far under the measured 80,000 a second, to catch an accident of another order."""
    path = put(*[GOOD | {"conversation_id": i, "timestamp": "2026-03-01T12:00:00Z"} for i in range(20_000)])
    began = time.process_time()
    assert sum(1 for _ in take(path)) == 20_000
    assert 20_000 / (time.process_time() - began) > 10_000


def test_a_real_chat_log_is_read_whole(corpora):
    report = IngestReport()
    found = list(take(corpora / "irc_ubuntu_train" / "conversations.jsonl", report=report))
    assert report.rejected == 0
    assert len(found) == report.accepted == report.lines
    assert {m.role for one in found for m in one.messages} == {"user", "assistant"}
