"""Segments and derived batches: nothing readable on disk, nothing acknowledged lost, no alteration unseen."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import InputError, KeyMissing, StorageError, VaultError
from sfumato.model.conversation import Conversation, Message
from sfumato.model.extract import Extracts
from sfumato.vault import container, derived, durable
from sfumato.vault.derived import DerivedStore
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKey, EpochKeys
from sfumato.vault.segments import (
    SegmentWriter,
    decode,
    describe,
    encode,
    read_segment,
    segment_paths,
    wipe_segments,
)

ROOT = RootKey(bytes(32))
PLANTED = "zq7-planted-needle-24chr"


def key_of(zone="raw", epoch="2026-03"):
    seed = f"{zone} {epoch}".encode()
    return EpochKey(dataset="ds", epoch=epoch, zone=zone, id=seed.ljust(16)[:16], secret=seed.ljust(32))


RAW, DERIVED = key_of(), key_of("derived")


def conversation(number=0, text="hello", **more):
    fields = {
        "conversation_id": number.to_bytes(16, "big"),
        "unit_id": (number % 7).to_bytes(16, "big"),
        "messages": (Message(role="user", content=text), Message(role="assistant", content="yes")),
        "timestamp": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "attributes": {"plan": "pro"},
    }
    return Conversation(**(fields | more))


def write(directory, count=10, key=RAW, **sizes):
    with SegmentWriter(directory, key, **sizes) as writer:
        for number in range(count):
            writer.add(conversation(number))
    return writer.written


def numbers(path, key=RAW):
    return [int.from_bytes(one.conversation_id, "big") for one in read_segment(path, key)]


def needle_in(directory, needle):
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and needle.encode() in path.read_bytes() + path.name.encode()
    ]


texts = st.text(alphabet=st.characters(codec=None), max_size=60)
times = st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), None]))


@given(st.lists(st.tuples(texts, texts), max_size=4), times, st.dictionaries(texts, texts, max_size=3))
def test_any_conversation_comes_back_as_it_was(turns, timestamp, attributes):
    """Whatever the Unicode, half surrogates and NUL included."""
    before = Conversation(
        conversation_id=b"c" * 16,
        unit_id=b"u" * 16,
        messages=tuple(Message(role=role, content=content) for role, content in turns),
        timestamp=timestamp,
        attributes=attributes,
    )
    assert decode(encode(before)) == before


def test_segments_come_back_whole_and_in_order(tmp_path):
    written = write(tmp_path, 25, block_records=10)
    assert [segment.records for segment in written] == [10, 10, 5]
    assert {path.stem for path in segment_paths(tmp_path)} == {segment.name for segment in written}
    assert [n for segment in written for n in numbers(tmp_path / f"{segment.name}.seg")] == list(range(25))


def test_a_block_is_full_by_bytes_too(tmp_path):
    assert len(write(tmp_path, 10, block_bytes=1)) == 10


def test_one_conversation_larger_than_a_block_is_kept(tmp_path):
    with SegmentWriter(tmp_path, RAW, block_bytes=1000) as writer:
        writer.add(conversation(1, "x" * 100_000))
    (path,) = segment_paths(tmp_path)
    assert len(next(read_segment(path, RAW)).messages[0].content) == 100_000


def test_nothing_added_writes_nothing(tmp_path):
    assert write(tmp_path / "raw", 0) == []
    assert segment_paths(tmp_path / "raw") == []
    assert segment_paths(tmp_path / "none") == []


def test_files_and_folder_are_the_owners_only(tmp_path):
    write(tmp_path / "raw", 1)
    assert stat.S_IMODE((tmp_path / "raw").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "raw").iterdir()] == [0o600]


def test_a_segment_is_described_from_the_disk_as_it_was_written(tmp_path):
    (written,) = write(tmp_path, 5)
    (path,) = segment_paths(tmp_path)
    found = describe(path, RAW)
    assert (found.name, found.records, found.sha256) == (written.name, 5, written.sha256)
    assert "5" not in repr(found)


def test_no_plaintext_is_on_disk(tmp_path):
    """The search that finds nothing in the vault finds the control file."""
    vault = tmp_path / "vault"
    keys = EpochKeys(vault / "keys", ROOT)
    raw, private = keys.create("ds", "2026-03", "raw"), keys.create("ds", "2026-03", "derived")
    with SegmentWriter(vault / "raw", raw, block_records=3) as writer:
        for number in range(10):
            writer.add(conversation(number, f"please keep {PLANTED} safe", attributes={"plan": PLANTED}))
    DerivedStore(vault / "derived", private).write(writer.written[0].name, [batch(3, phrase=PLANTED)])
    assert needle_in(vault, PLANTED) == []
    (vault / "control").write_text(f"... {PLANTED} ...")
    assert needle_in(vault, PLANTED) == [vault / "control"]


def test_after_the_key_is_destroyed_nothing_opens(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    write(tmp_path / "raw", 3, key=keys.create("ds", "2026-03", "raw"))
    keys.destroy("ds", "2026-03", "raw")
    with pytest.raises(KeyMissing):
        keys.open("ds", "2026-03", "raw")
    (path,) = segment_paths(tmp_path / "raw")
    with pytest.raises(VaultError, match="another key"):
        list(read_segment(path, keys.create("ds", "2026-03", "raw")))


@pytest.mark.parametrize("cut", [1, 17, 300, 10_000])
def test_a_truncated_segment_gives_nothing(tmp_path, cut):
    write(tmp_path, 50)
    (path,) = segment_paths(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    found = read_segment(path, RAW)
    with pytest.raises(VaultError, match="truncated"):
        next(found)


def test_a_segment_cut_between_records_is_noticed_before_the_first(tmp_path):
    write(tmp_path, 2)
    (path,) = segment_paths(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"SFEV")])
    with pytest.raises(VaultError, match="truncated"):
        next(read_segment(path, RAW))


def test_a_prolonged_segment_is_refused(tmp_path):
    write(tmp_path, 2)
    (path,) = segment_paths(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(VaultError, match="longer"):
        next(read_segment(path, RAW))


def records_of(path):
    """Where the (equally long) records of a segment begin, after its head and index."""
    content = path.read_bytes()
    starts = [at for at in range(len(content)) if content.startswith(b"SFEV", at)][1:]
    return content, starts


def test_reordered_records_are_refused(tmp_path):
    write(tmp_path, 2)
    (path,) = segment_paths(tmp_path)
    content, (first, second) = records_of(path)
    path.write_bytes(content[:first] + content[second:] + content[first:second])
    with pytest.raises(VaultError, match="out of its place"):
        list(read_segment(path, RAW))


def test_a_repeated_record_is_refused(tmp_path):
    write(tmp_path, 2)
    (path,) = segment_paths(tmp_path)
    content, (first, second) = records_of(path)
    path.write_bytes(content[:first] + 2 * content[first:second])
    with pytest.raises(VaultError, match="out of its place"):
        list(read_segment(path, RAW))


def test_a_record_of_another_segment_is_refused(tmp_path):
    write(tmp_path / "a", 1)
    write(tmp_path / "b", 1)
    (one,), (other,) = segment_paths(tmp_path / "a"), segment_paths(tmp_path / "b")
    content, (start,) = records_of(one)
    foreign, (there,) = records_of(other)
    one.write_bytes(content[:start] + foreign[there:])
    with pytest.raises(VaultError, match="another segment"):
        list(read_segment(one, RAW))


def test_a_segment_put_under_anothers_name_is_refused(tmp_path):
    write(tmp_path, 2, block_records=1)
    one, other = segment_paths(tmp_path)
    one.write_bytes(other.read_bytes())
    with pytest.raises(VaultError, match="renamed"):
        list(read_segment(one, RAW))
    other.rename(tmp_path / "not hex.seg")
    with pytest.raises(VaultError, match="name"):
        list(read_segment(tmp_path / "not hex.seg", RAW))


def test_another_epochs_key_does_not_open_a_segment(tmp_path):
    write(tmp_path, 1)
    (path,) = segment_paths(tmp_path)
    with pytest.raises(VaultError, match="another key"):
        list(read_segment(path, key_of(epoch="2026-04")))


def test_a_key_relabelled_for_another_epoch_does_not_open_a_segment(tmp_path):
    """Same id and bytes, another epoch said: the epoch is bound in as associated data."""
    write(tmp_path, 1)
    (path,) = segment_paths(tmp_path)
    forged = EpochKey(dataset="ds", epoch="2026-04", zone="raw", id=RAW.id, secret=RAW.secret)
    with pytest.raises(VaultError, match="fails its check"):
        list(read_segment(path, forged))


def test_every_altered_byte_of_a_small_segment_is_noticed(tmp_path):
    write(tmp_path, 2)
    (path,) = segment_paths(tmp_path)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
        with pytest.raises(VaultError):
            list(read_segment(path, RAW))


def test_a_missing_or_linked_segment_is_a_storage_error(tmp_path):
    write(tmp_path, 1)
    (path,) = segment_paths(tmp_path)
    path.rename(tmp_path / "moved")
    with pytest.raises(StorageError, match="not there"):
        list(read_segment(path, RAW))
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(StorageError, match="symbolic link"):
        list(read_segment(path, RAW))


def test_an_input_that_breaks_off_keeps_what_was_added(tmp_path):
    def ingest():
        with SegmentWriter(tmp_path, RAW) as writer:
            writer.add(conversation(1))
            raise InputError("breaks off")

    with pytest.raises(InputError):
        ingest()
    (path,) = segment_paths(tmp_path)
    assert numbers(path) == [1]


def test_a_kill_before_the_rename_leaves_no_segment(tmp_path):
    """A child process dies between flush and rename: finished segments stay, the other is only a temporary file."""
    child = os.fork()
    if child == 0:
        writer = SegmentWriter(tmp_path, RAW, block_records=2)
        for number in range(2):
            writer.add(conversation(number))
        os.rename = os.replace = lambda *_, **__: os._exit(9)
        for number in range(2, 4):
            writer.add(conversation(number))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (path,) = segment_paths(tmp_path)
    assert numbers(path) == [0, 1]
    left = [one for one in tmp_path.iterdir() if one != path]
    assert [one.suffix for one in left] == [".tmp"]
    assert needle_in(tmp_path, "hello") == []
    assert wipe_segments(tmp_path) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "no space"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")]
)
def test_a_failing_disk_is_one_line_and_what_was_acknowledged_stays(tmp_path, monkeypatch, code, words):
    writer = SegmentWriter(tmp_path, RAW, block_records=1)
    writer.add(conversation(0))

    def fail(*_):
        raise OSError(code, os.strerror(code), PLANTED)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=words) as caught, writer:
        writer.add(conversation(1))
    monkeypatch.undo()
    assert PLANTED not in str(caught.value)
    assert len(list(tmp_path.iterdir())) == len(writer.written) == 1
    with pytest.raises(StorageError, match="closed"):
        writer.add(conversation(2))


def test_a_data_directory_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="directory"):
            SegmentWriter(path, RAW)


def test_raw_and_derived_keys_do_not_do_each_others_work(tmp_path):
    with pytest.raises(ValueError, match="raw zone"):
        SegmentWriter(tmp_path, DERIVED)
    with pytest.raises(ValueError, match="derived zone"):
        DerivedStore(tmp_path, RAW)


NAME, OTHER = "0" * 32, "1" * 32


def batch(rows, phrase="sort a list", width=4):
    rng = np.random.default_rng(rows)
    return Extracts(
        conversation_ids=[bytes(16)] * rows,
        unit_ids=[i.to_bytes(16, "big") for i in range(rows)],
        phrases=[(phrase, "größe 你好")[: i % 3] for i in range(rows)],
        facets={"language": rng.integers(0, 9, rows).astype(np.int16), "turns": np.zeros(rows, np.int16)},
        vectors=rng.normal(size=(rows, width)).astype(np.float16),
    )


def same(one, other):
    return (
        list(one.conversation_ids) == list(other.conversation_ids)
        and list(one.unit_ids) == list(other.unit_ids)
        and list(one.phrases) == list(other.phrases)
        and one.facets.keys() == other.facets.keys()
        and all((one.facets[name] == other.facets[name]).all() for name in one.facets)
        and all(codes.dtype == np.int16 for codes in other.facets.values())
        and one.vectors.dtype == other.vectors.dtype == np.float16
        and (one.vectors == other.vectors).all()
    )


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_batch_comes_back_as_it_was(rows):
    assert same(batch(rows), derived.decode(derived.encode(batch(rows))))


def test_a_batch_without_facets_comes_back():
    bare = Extracts(
        conversation_ids=[b"c" * 16], unit_ids=[b"u" * 16], phrases=[()], facets={}, vectors=batch(1).vectors
    )
    assert same(bare, derived.decode(derived.encode(bare)))


def test_columns_of_differing_length_are_refused():
    good = batch(2)
    with pytest.raises(ValueError, match=r".*"):
        derived.encode(
            Extracts(
                conversation_ids=good.conversation_ids,
                unit_ids=good.unit_ids[:1],
                phrases=good.phrases,
                facets={},
                vectors=good.vectors,
            )
        )


def test_extracting_a_segment_again_replaces_its_rows(tmp_path):
    store = DerivedStore(tmp_path / "derived", DERIVED)
    assert list(store.batches()) == []
    store.write(NAME, [batch(3), batch(2)])
    store.write(OTHER, [batch(1)])
    store.write(NAME, [batch(4)])
    assert [len(one) for one in store.batches()] == [4, 1]
    assert store.segments() == {NAME, OTHER}


def test_rewriting_a_segments_rows_never_uses_a_key_stream_again(tmp_path):
    """The same name twice, with other rows: XOR of the ciphertexts must not be the XOR of the plaintexts."""
    store = DerivedStore(tmp_path, DERIVED)
    path = tmp_path / f"{NAME}.drv"
    store.write(NAME, [batch(3)])
    before = path.read_bytes()
    store.write(NAME, [batch(3)])
    assert before[8:24] != path.read_bytes()[8:24]
    assert before[-64:] != path.read_bytes()[-64:]


def test_large_batches_are_cut_to_4096_rows(tmp_path):
    store = DerivedStore(tmp_path, DERIVED)
    big = batch(10_000)
    store.write(NAME, [big])
    parts = list(store.batches())
    assert [len(part) for part in parts] == [4096, 4096, 1808]
    assert [unit for part in parts for unit in part.unit_ids] == list(big.unit_ids)
    assert (np.concatenate([part.vectors for part in parts]) == big.vectors).all()


def test_derived_files_swapped_truncated_or_of_another_epoch_are_refused(tmp_path):
    store = DerivedStore(tmp_path, DERIVED)
    store.write(NAME, [batch(3)])
    path = tmp_path / f"{NAME}.drv"
    with pytest.raises(VaultError, match="another key"):
        list(DerivedStore(tmp_path, key_of("derived", "2026-04")).batches())
    path.rename(tmp_path / f"{OTHER}.drv")
    with pytest.raises(VaultError, match="fails its check"):
        list(store.batches())
    (tmp_path / f"{OTHER}.drv").rename(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VaultError, match="truncated"):
        list(store.batches())


def test_a_derived_name_can_not_leave_the_directory(tmp_path):
    for name in ("../up", "x", NAME + "0", NAME.replace("0", "G")):
        with pytest.raises(ValueError, match="32 hexadecimal"):
            DerivedStore(tmp_path, DERIVED).write(name, [])


def test_a_failed_rewrite_leaves_the_earlier_rows(tmp_path, monkeypatch):
    store = DerivedStore(tmp_path, DERIVED)
    store.write(NAME, [batch(3)])

    def fail(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(durable.os, "fsync", fail)
    with pytest.raises(StorageError, match="no space"):
        store.write(NAME, [batch(5)])
    monkeypatch.undo()
    assert [len(one) for one in store.batches()] == [3]


def test_wiping_derived_data_leaves_nothing(tmp_path):
    store = DerivedStore(tmp_path, DERIVED)
    assert store.wipe() == 0
    store.write(NAME, [batch(3)])
    (tmp_path / f".{NAME}.drv.0.tmp").touch()
    assert store.wipe() == 2
    assert list(tmp_path.iterdir()) == []


def test_the_buffer_that_a_record_was_opened_into_is_wiped_when_the_next_is_asked_for(tmp_path):
    """And at the end, and where the reader gives up in the middle."""
    write(tmp_path, 3)
    (path,) = segment_paths(tmp_path)
    wanted = container.Wanted(context=RAW.context("raw segment"), file_id=bytes.fromhex(path.stem), people=RAW.people())
    opened = []
    for buffer in container.records(path, RAW, wanted):
        assert b"hello" in buffer
        assert all(not any(one) for one in opened)
        opened.append(buffer)
    reading = container.records(path, RAW, wanted)
    opened.append(next(reading))
    reading.close()
    assert len(opened) == 4
    assert all(len(one) > 50 and not any(one) for one in opened)


def test_what_is_read_of_extracts_outlives_the_buffer(tmp_path):
    """Columns are copies: else wiping would zero vectors and facets."""
    store = DerivedStore(tmp_path, DERIVED)
    store.write("0" * 32, [batch(3)])
    (found,) = store.batches()
    assert found.vectors.any()
    assert found.vectors.flags.owndata or found.vectors.base.flags.owndata
