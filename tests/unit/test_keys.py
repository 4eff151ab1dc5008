"""Keys: where they may lie, who may read them, that they are made once, and that a destroyed one is gone."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest

from processes import APART
from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.vault import durable
from sfumato.vault.keys import FILE_BYTES, PURPOSES, RootKey
from sfumato.vault.keystore import EpochKeys

ROOT = RootKey(bytes(range(32)))


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def root_path(tmp_path, data):
    RootKey.create(tmp_path / "keys" / "root.key", data=data)
    return tmp_path / "keys" / "root.key"


@pytest.fixture
def store(data):
    return EpochKeys(data / "keys", ROOT)


def test_a_root_key_is_loaded_as_it_was_made(tmp_path, data):
    made = RootKey.create(tmp_path / "root.key", data=data)
    assert RootKey.load(tmp_path / "root.key", data=data).derive("pseudonyms") == made.derive("pseudonyms")


def test_the_file_is_one_text_line_for_its_owner_only(root_path):
    content = root_path.read_bytes()
    assert stat.S_IMODE(root_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(root_path.parent.stat().st_mode) == 0o700
    assert content.startswith(b"sfumato-root-key-1:")
    assert content.isascii()
    assert content.count(b"\n") == 1
    assert len(content) == FILE_BYTES


def test_two_root_keys_differ_and_purposes_are_separate(tmp_path, data):
    one, two = (RootKey.create(tmp_path / name, data=data) for name in "ab")
    assert len({one.derive(PURPOSES[0]), one.derive(PURPOSES[1]), two.derive(PURPOSES[0])}) == 3


def test_a_root_key_is_never_overwritten(root_path, data):
    before = root_path.read_bytes()
    with pytest.raises(KeyMissing, match="never overwritten"):
        RootKey.create(root_path, data=data)
    assert root_path.read_bytes() == before


def test_a_root_key_is_not_made_through_a_dangling_link(tmp_path, data):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyMissing):
        RootKey.create(tmp_path / "link", data=data)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_root_key_says_how_to_make_one(tmp_path, data):
    with pytest.raises(KeyMissing, match="sfumato keys init"):
        RootKey.load(tmp_path / "none", data=data)


def test_a_link_to_a_root_key_is_refused(root_path, tmp_path, data):
    (tmp_path / "link").symlink_to(root_path)
    with pytest.raises(KeyMissing, match="links are refused"):
        RootKey.load(tmp_path / "link", data=data)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_root_key_open_to_others_is_refused(root_path, data, mode):
    root_path.chmod(mode)
    with pytest.raises(KeyMissing, match="chmod 600"):
        RootKey.load(root_path, data=data)


def test_another_users_root_key_is_refused(root_path, data, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: root_path.stat().st_uid + 1)
    with pytest.raises(KeyMissing, match="another user"):
        RootKey.load(root_path, data=data)


def test_a_root_key_that_is_no_plain_file_is_refused(tmp_path, data):
    with pytest.raises(KeyMissing):
        RootKey.load(tmp_path, data=data)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"x" * FILE_BYTES,
        b"sfumato-root-key-2:" + b"A" * 43 + b"=\n",
        b"sfumato-root-key-1:" + b"!" * 44 + b"\n",
    ],
)
def test_a_root_key_of_a_wrong_form_is_refused(root_path, data, content):
    root_path.write_bytes(content)
    with pytest.raises(KeyMissing, match="is no root key file"):
        RootKey.load(root_path, data=data)


def test_a_root_key_inside_the_data_directory_is_refused_even_through_a_linked_folder(tmp_path, data, root_path):
    (data / "sub").mkdir(parents=True)
    with pytest.raises(KeyMissing, match="inside the data directory"):
        RootKey.create(data / "root.key", data=data)
    (tmp_path / "door").symlink_to(data / "sub")
    with pytest.raises(KeyMissing, match="inside the data directory"):
        RootKey.create(tmp_path / "door" / "root.key", data=data)
    (data / "root.key").write_bytes(root_path.read_bytes())
    with pytest.raises(KeyMissing, match="inside the data directory"):
        RootKey.load(data / "root.key", data=data)


def test_keys_are_not_printed_copied_or_pickled(store):
    key = store.create("ds", "2026-03", "raw")
    for private in (ROOT, store, key):
        assert "private" in repr(private)
        for refuse in (pickle.dumps, copy.deepcopy, "{}".format):
            with pytest.raises(TypeError):
                refuse(private)


def test_an_epoch_key_is_made_once_and_opened_alike(store, data):
    made = store.create("ds", "2026-03", "raw")
    for again in (store.create("ds", "2026-03", "raw"), EpochKeys(data / "keys", ROOT).open("ds", "2026-03", "raw")):
        assert (again.id, again.secret) == (made.id, made.secret)


def test_dataset_epoch_and_zone_each_have_a_key_of_their_own(store):
    names = [("ds", "2026-03", "raw"), ("ds", "2026-03", "derived"), ("ds", "2026-04", "raw"), ("d", "s2026-03", "raw")]
    assert len({store.create(*name).secret for name in names}) == 4
    assert sorted(store.held()) == sorted(names)


@pytest.mark.parametrize("name", ["../../up", "a/b", "a@b", "ü ", ".", "a%2Fb"])
def test_odd_names_stay_inside_the_store_and_come_back(store, data, name):
    key = store.create(name, name, "raw")
    (path,) = (data / "keys").iterdir()
    assert path.is_file()
    assert list(store.held()) == [(name, name, "raw")]
    assert store.open(name, name, "raw").secret == key.secret


def test_a_key_file_is_small_wrapped_and_its_owners_only(store, data):
    key = store.create("ds", "2026-03", "raw")
    (path,) = (data / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.id in path.read_bytes()
    assert key.secret not in path.read_bytes()


def test_a_destroyed_key_can_not_be_opened_and_a_new_one_is_another(store, data):
    old = store.create("ds", "2026-03", "raw")
    assert store.destroy("ds", "2026-03", "raw")
    assert list((data / "keys").iterdir()) == []
    with pytest.raises(KeyMissing, match="destroyed or never made"):
        store.open("ds", "2026-03", "raw")
    assert not store.destroy("ds", "2026-03", "raw")
    assert store.create("ds", "2026-03", "raw").id != old.id


def test_the_bytes_of_the_file_are_zeroed_before_it_is_unlinked(store, data, tmp_path):
    """A second name for the same bytes shows what is left of them."""
    store.create("ds", "2026-03", "raw")
    (path,) = (data / "keys").iterdir()
    (tmp_path / "second name").hardlink_to(path)
    store.destroy("ds", "2026-03", "raw")
    assert not any((tmp_path / "second name").read_bytes())


def test_a_destruction_cut_short_after_the_zeros_is_a_destruction(store, data, monkeypatch):
    store.create("ds", "2026-03", "raw")
    with monkeypatch.context() as broken:
        broken.setattr(durable, "remove", lambda *_, **__: (_ for _ in ()).throw(StorageError("power cut")))
        with pytest.raises(StorageError):
            store.destroy("ds", "2026-03", "raw")
    with pytest.raises(KeyMissing):
        store.open("ds", "2026-03", "raw")
    assert store.create("ds", "2026-03", "raw").secret == store.open("ds", "2026-03", "raw").secret
    assert store.destroy("ds", "2026-03", "raw")


def test_another_root_key_opens_nothing(store, data):
    store.create("ds", "2026-03", "raw")
    with pytest.raises(VaultError, match="another root key"):
        EpochKeys(data / "keys", RootKey(bytes(32))).open("ds", "2026-03", "raw")


def test_a_key_file_renamed_to_another_epoch_does_not_open(store, data):
    store.create("ds", "2026-03", "raw")
    (path,) = (data / "keys").iterdir()
    path.rename(path.with_name(path.name.replace("2026-03", "2026-04")))
    with pytest.raises(VaultError, match="does not open"):
        store.open("ds", "2026-04", "raw")


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"x" + b[1:], lambda b: b[:-1] + b"~"]
)
def test_a_damaged_key_file_is_refused_and_never_replaced(store, data, change):
    store.create("ds", "2026-03", "raw")
    (path,) = (data / "keys").iterdir()
    path.write_bytes(change(path.read_bytes()))
    for call in (store.open, store.create):
        with pytest.raises(VaultError):
            call("ds", "2026-03", "raw")


def test_a_linked_key_file_is_refused(store, data, tmp_path):
    store.create("ds", "2026-03", "raw")
    (path,) = (data / "keys").iterdir()
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    for call in (store.open, store.destroy):
        with pytest.raises(StorageError, match="symbolic link"):
            call("ds", "2026-03", "raw")


def test_a_fingerprint_tells_keys_apart_and_is_not_the_key(store):
    one, two = store.create("ds", "2026-03", "raw"), store.create("ds", "2026-04", "raw")
    assert one.fingerprint() != two.fingerprint()
    assert one.fingerprint() == store.open("ds", "2026-03", "raw").fingerprint()
    assert one.secret.hex() not in one.fingerprint()


def _race(directory, barrier, answers):
    keys = EpochKeys(Path(directory), ROOT)
    barrier.wait()
    answers.put(keys.create("ds", "2026-03", "raw").secret)


def test_processes_that_race_to_make_a_key_all_use_the_same(data):
    barrier, answers = APART.Barrier(4), APART.Queue()
    racers = [APART.Process(target=_race, args=(str(data / "keys"), barrier, answers)) for _ in range(4)]
    for racer in racers:
        racer.start()
    found = {answers.get(timeout=60) for _ in racers}
    for racer in racers:
        racer.join()
    assert len(found) == 1
    assert len(list((data / "keys").iterdir())) == 1
