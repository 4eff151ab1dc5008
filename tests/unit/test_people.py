"""One key for each person: cut out, it is gone for good, whoever holds the rest; everybody else's stays the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.errors import StorageError, VaultError
from sfumato.model.conversation import Conversation, Message
from sfumato.vault import cuts, durable, inventory, people, rotation, superseding
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.people import DEPTH, People
from sfumato.vault.segments import SegmentWriter, may_hold, read_segment, segment_paths

if TYPE_CHECKING:
    from pathlib import Path

ROOT, SECRET = RootKey(b"r" * 32), b"s" * 32
pseudonyms = st.binary(min_size=16, max_size=16)


def conversation(person: bytes, text: str = "hello") -> Conversation:
    return Conversation(
        conversation_id=person, unit_id=person, messages=(Message(role="user", content=text),), attributes={}
    )


def sealed(folder: Path, keys: EpochKeys, count: int = 6) -> list[bytes]:
    """`count` people with one conversation each, in segments of two; their pseudonyms."""
    everybody = [bytes((number + 1,)) * 16 for number in range(count)]
    with SegmentWriter(folder, keys.create("ds", "2026-03", "raw"), block_records=2) as writer:
        for person in everybody:
            writer.add(conversation(person))
    return everybody


def readable(folder: Path, keys: EpochKeys) -> set[bytes]:
    key = keys.open("ds", "2026-03", "raw")
    return {one.unit_id for path in segment_paths(folder) for one in read_segment(path, key)}


@settings(max_examples=30, deadline=None)
@given(st.lists(pseudonyms, min_size=2, max_size=6, unique_by=lambda one: one[:DEPTH]), st.data())
def test_who_is_cut_has_no_key_and_everybody_else_has_the_one_they_had(everybody, data):
    whole = People.under(SECRET)
    gone = set(data.draw(st.lists(st.sampled_from(everybody), max_size=4)))
    left = whole
    for person in gone:
        left = left.without(person)
    again = People.parse(left.plaintext())
    for person in everybody:
        wanted = None if person in gone else whole.key_of(person)
        assert again.key_of(person) == left.key_of(person) == wanted
    assert again.index == whole.index
    assert left.without(next(iter(gone))) is left if gone else True


def test_what_is_left_holds_no_node_from_which_the_key_that_was_cut_could_be_derived():
    """Every node that is kept is beside the person's path, and none of them is a node on it, the root included."""
    person, whole = bytes(range(16)), People.under(SECRET)
    left = whole.without(person)
    on_path = {whole.key_of(person)} | {whole._cover[b""]}
    node = whole._cover[b""]
    for step in person[:DEPTH]:
        node = people._keyed(node, b"node", bytes((step,)))
        on_path.add(node)
    assert len(on_path) == DEPTH + 1
    assert not on_path & set(left._cover.values())
    assert not [path for path in left._cover if person.startswith(path)]
    assert all(secret not in left.plaintext() for secret in (*on_path, SECRET, whole.key_of(person)))


def test_keys_of_people_are_all_different_and_none_is_the_index_key():
    whole = People.under(SECRET)
    keys = {whole.key_of(number.to_bytes(6, "big") + bytes(10)) for number in range(2_000)}
    assert len(keys) == 2_000
    assert whole.index not in keys
    assert People.under(b"t" * 32).key_of(bytes(16)) not in keys


def test_memory_does_not_grow_with_people(monkeypatch):
    monkeypatch.setattr(people, "REMEMBERED", 10)
    whole = People.under(SECRET)
    for number in range(200):
        whole.key_of(number.to_bytes(2, "big") * 8)
    assert len(whole._keys) <= 10
    assert max(map(len, whole._seen)) <= people.SHALLOW


@pytest.mark.parametrize("change", [lambda one: one[:-1], lambda one: b"x" + one, lambda one: one + b"\x09", bytes])
def test_what_is_kept_is_read_whole_or_refused(change):
    plaintext = People.under(SECRET).without(bytes(16)).plaintext()
    with pytest.raises(VaultError):
        People.parse(change(plaintext) if change is not bytes else b"")


def test_forgetting_one_makes_their_records_unreadable_and_no_others(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    assert keys.cut("ds", "2026-03", everybody[1])
    assert readable(tmp_path / "raw", keys) == set(everybody) - {everybody[1]}
    assert keys.cut("ds", "2026-03", everybody[4])
    assert keys.cut("ds", "2026-03", everybody[4])
    assert readable(tmp_path / "raw", EpochKeys(tmp_path / "keys", ROOT)) == set(everybody) - {
        everybody[1],
        everybody[4],
    }
    assert len(list((tmp_path / "keys").glob("*.cut"))) == 1
    key = keys.open("ds", "2026-03", "raw")
    assert [may_hold(path, key, everybody[1]) for path in segment_paths(tmp_path / "raw")].count(True) == 1


def test_the_records_stay_closed_to_whoever_holds_root_key_and_key_store(tmp_path):
    """Every key that can be found in the store afterwards is tried on the record itself."""
    from sfumato.vault.envelope import Place, open_sealed

    keys = EpochKeys(tmp_path / "keys", ROOT)
    (person,) = sealed(tmp_path / "raw", keys, count=1)
    whole = keys.open("ds", "2026-03", "raw")
    (path,) = segment_paths(tmp_path / "raw")
    keys.cut("ds", "2026-03", person)
    left = keys.open("ds", "2026-03", "raw")
    found = path.read_bytes()
    record = found[-(len(found) - 28 - int.from_bytes(found[24:28], "big")) :]
    place, context = Place(key_id=left.id, segment=bytes.fromhex(path.stem), index=1), left.context("raw segment")
    kept = list(left.left._cover.values())
    tried = [left.secret, left.left.index, *kept]
    for secret in tried:
        with pytest.raises(VaultError, match="commit"):
            open_sealed(secret, place, record, context=context)
    assert open_sealed(whole.people().key_of(person), place, record, context=context)  # the one that is gone opens it


def test_nothing_of_somebody_who_was_cut_is_sealed_again_under_the_key(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    keys.cut("ds", "2026-03", everybody[0])
    with (
        pytest.raises(VaultError, match="forgotten"),
        SegmentWriter(tmp_path / "raw", keys.open("ds", "2026-03", "raw")) as writer,
    ):
        writer.add(conversation(everybody[0]))


def test_no_byte_of_the_former_key_stays_in_the_store(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    before = next((tmp_path / "keys").glob("*.key"))
    held = before.open("rb")  # the old file, whatever name it has by then
    wrapped = held.read()
    keys.cut("ds", "2026-03", everybody[0])
    held.seek(0)
    assert held.read() == bytes(len(wrapped))
    held.close()
    assert wrapped not in b"".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())


STEPS = ["write", "link", "replace", "clear"]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_the_person_in_or_out_and_the_next_try_ends_it(tmp_path, monkeypatch, step):
    class Killed(BaseException):
        pass

    def dies(*_args, **_named):
        raise Killed

    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    keys.cut("ds", "2026-03", everybody[5])
    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(durable, "write", dies)
        elif step == "link":
            patch.setattr(superseding.os, "link", dies)
        elif step == "replace":
            patch.setattr(superseding.os, "utime", dies)
        else:
            patch.setattr(cuts, "clear", dies)
        with pytest.raises(Killed):
            keys.cut("ds", "2026-03", everybody[2])
    again = EpochKeys(tmp_path / "keys", ROOT)
    there = readable(tmp_path / "raw", again)
    assert there in (set(everybody[:5]), set(everybody[:5]) - {everybody[2]})
    again.cut("ds", "2026-03", everybody[2])
    assert readable(tmp_path / "raw", again) == set(everybody[:5]) - {everybody[2]}
    names = sorted(path.suffix for path in (tmp_path / "keys").iterdir())
    assert names == [".cut", ".key"]


def test_a_key_that_was_cut_is_rotated_listed_and_destroyed_like_any_other(tmp_path):
    keys, store = EpochKeys(tmp_path / "keys", ROOT), tmp_path / "keys"
    everybody = sealed(tmp_path / "raw", keys)
    keys.cut("ds", "2026-03", everybody[0])
    (entry,) = inventory.inventory(store).keys
    assert entry.state == "good"
    second = RootKey(b"2" * 32)
    rotation.rotate(store, old=ROOT, new=second)
    moved = EpochKeys(store, second)
    assert readable(tmp_path / "raw", moved) == set(everybody[1:])
    assert moved.cut("ds", "2026-03", everybody[1])
    assert readable(tmp_path / "raw", moved) == set(everybody[2:])
    key = moved.open("ds", "2026-03", "raw")
    copy = {path: path.read_bytes() for path in store.iterdir() if path.suffix in {".key", ".cut"}}
    moved.destroy("ds", "2026-03", "raw")
    assert not [path for path in store.iterdir() if path.suffix in {".key", ".cut"}]
    assert moved.remains("ds", "2026-03", key.id.hex()) == []
    for path, content in copy.items():  # a copy that was kept is found, and told to open
        path.write_bytes(content)
    assert moved.remains("ds", "2026-03", key.id.hex()) == ["a file in the key store still holds it, wrapped",
                                                            "its key still opens"]  # fmt: skip


def test_a_list_of_who_is_left_that_is_missing_or_altered_shows(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    keys.cut("ds", "2026-03", everybody[0])
    (path,) = (tmp_path / "keys").glob("*.cut")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
    with pytest.raises(VaultError, match="fails its check"):
        keys.open("ds", "2026-03", "raw")
    path.unlink()
    with pytest.raises(VaultError, match="missing"):
        keys.open("ds", "2026-03", "raw")


def test_a_key_in_memory_is_cut_in_memory(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT, memory_only=True)
    everybody = sealed(tmp_path / "raw", keys)
    assert keys.cut("ds", "2026-03", everybody[0])
    assert readable(tmp_path / "raw", keys) == set(everybody[1:])
    assert not [path for path in (tmp_path / "keys").iterdir() if path.suffix in {".key", ".cut"}]
    assert not EpochKeys(tmp_path / "keys", ROOT).cut("ds", "2026-03", everybody[0])


def test_a_full_disk_says_so_and_leaves_the_key_as_it_was(tmp_path, monkeypatch):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)

    def full(*_args, **_named):
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", full)
        with pytest.raises(StorageError):
            keys.cut("ds", "2026-03", everybody[0])
    assert readable(tmp_path / "raw", keys) == set(everybody)


def test_a_segment_says_of_its_records_whose_they_are_only_to_who_holds_the_key(tmp_path):
    keys = EpochKeys(tmp_path / "keys", ROOT)
    everybody = sealed(tmp_path / "raw", keys)
    for path in segment_paths(tmp_path / "raw"):
        assert not [person for person in everybody[1:] if person in path.read_bytes()]
    key = keys.open("ds", "2026-03", "raw")
    other = replace(key, secret=b"x" * 32)
    with pytest.raises(VaultError):
        may_hold(segment_paths(tmp_path / "raw")[0], other, everybody[0])
