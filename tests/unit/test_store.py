"""The store serves what its key signed and nothing else, newest first, and sees changes."""

from __future__ import annotations

import os

import pytest

from releases import KEY, OTHER_KEY, pin, sample, store_release
from sfumato.errors import StorageError
from sfumato.serve.store import ReleaseStore


@pytest.fixture
def data(tmp_path):
    pin(tmp_path)
    return tmp_path


def ids(store: ReleaseStore) -> list[str]:
    return [stored.release.id for stored in store.releases()]


def test_without_a_folder_there_are_no_releases(data):
    assert ReleaseStore(data).releases() == ()


def test_releases_come_newest_first_whatever_their_notation_of_utc(data):
    times = ("2025-07-01T04:00:00Z", "2025-07-01T04:00:00.500000+00:00", "2025-08-01T00:00:00Z")
    made = [sample(created=time) for time in times]
    for release in made:
        store_release(data, release)
    assert ids(ReleaseStore(data)) == [release.id for release in reversed(made)]


def test_a_release_is_found_by_its_id_with_the_bytes_that_were_verified(data):
    path = store_release(data, sample())
    stored = ReleaseStore(data).get(sample().id)
    assert stored.body == path.read_bytes()
    assert stored.release == sample()


def test_an_unknown_id_is_none(data):
    assert ReleaseStore(data).get("rel_" + "0" * 20) is None


def test_a_tampered_release_is_not_served_and_is_reported(data, caplog):
    path = store_release(data, sample())
    store_release(data, sample(epoch="2025-07"))
    path.write_bytes(path.read_bytes().replace(b'"value":4021', b'"value":4022'))
    store = ReleaseStore(data)
    assert ids(store) == [sample(epoch="2025-07").id]
    (rejected,) = store.rejected()
    assert rejected.file == path.name
    assert "changed after it was signed" in rejected.reason
    assert "4022" not in caplog.text
    assert path.name in caplog.text


def test_a_release_tampered_with_while_the_server_runs_disappears(data):
    path = store_release(data, sample())
    store = ReleaseStore(data)
    assert ids(store)
    path.write_bytes(path.read_bytes().replace(b'"value":4021', b'"value":4022'))
    assert not ids(store)


def test_a_release_of_another_key_is_not_served(data):
    store_release(data, sample(), OTHER_KEY)
    store = ReleaseStore(data)
    assert not ids(store)
    assert "another key" in store.rejected()[0].reason


def test_without_a_pinned_key_nothing_is_served(tmp_path):
    store_release(tmp_path, sample(), OTHER_KEY)
    store = ReleaseStore(tmp_path)
    assert not ids(store)
    assert "release_key.pub" in store.rejected()[0].reason


def test_another_key_pinned_later_applies_to_what_was_read_before(tmp_path):
    store_release(tmp_path, sample(), OTHER_KEY)
    pin(tmp_path, OTHER_KEY)
    store = ReleaseStore(tmp_path)
    assert ids(store)
    pin(tmp_path, KEY)
    assert not ids(store)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 64])
def test_an_unreadable_pinned_key_stops_everything(data, content):
    store_release(data, sample())
    (data / "release_key.pub").write_bytes(content)
    with pytest.raises(StorageError, match=r"release_key\.pub"):
        ReleaseStore(data).releases()


def test_files_that_are_no_releases_are_reported_and_unfinished_ones_ignored(data):
    store_release(data, sample())
    folder = data / "releases"
    (folder / "broken.json").write_bytes(b"{")
    (folder / "half.json.tmp").write_bytes(b"{")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    store = ReleaseStore(data)
    assert ids(store) == [sample().id]
    assert [rejected.file for rejected in store.rejected()] == ["broken.json"]


def test_an_unchanged_file_is_read_once(data, monkeypatch):
    store_release(data, sample())
    store = ReleaseStore(data)
    first = store.get(sample().id)
    monkeypatch.setattr("sfumato.serve.store.loads", lambda _raw: pytest.fail("read again"))
    assert store.get(sample().id) is first


def test_the_store_writes_nothing(data):
    store_release(data, sample())
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    ReleaseStore(data).releases()
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
