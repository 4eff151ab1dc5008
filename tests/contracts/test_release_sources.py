"""Releases are served alike from a folder and from a table, and only with the pinned key's signature."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

import postgres
from releases import KEY, OTHER_KEY, pin, sample
from sfumato.errors import StorageError
from sfumato.model.document import encode
from sfumato.model.signature import sign
from sfumato.model.strict_json import dumps
from sfumato.serve.release_table import ReleaseTable
from sfumato.serve.store import Folder, ReleaseStore


class InFolder:
    """Releases as files."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "releases"
        self._folder.mkdir()
        self.source = Folder(self._folder)

    def add(self, release_id: str, body: bytes) -> None:
        (self._folder / f"{release_id}.json").write_bytes(body)

    def close(self) -> None:
        pass


class InTable:
    """Releases as rows: the gateway's user adds them, the server's reads them."""

    def __init__(self, url: URL) -> None:
        self._gate = ReleaseTable(url.set(username="gate"))
        self.source = ReleaseTable(url.set(username="desk"))
        self.add = self._gate.add

    def close(self) -> None:
        self._gate.close()
        self.source.close()


@pytest.fixture(params=["folder", "table"])
def place(request, tmp_path: Path):
    pin(tmp_path)
    made = InFolder(tmp_path) if request.param == "folder" else InTable(postgres.server().database())
    yield made
    made.close()


def signed(release, key=KEY) -> bytes:
    return dumps(sign(encode(release), key))


def test_what_was_added_is_served_to_the_byte_newest_first(place, tmp_path: Path) -> None:
    made = [sample(created=f"2025-0{month}-01T04:00:00Z") for month in (7, 9, 8)]
    store = ReleaseStore(tmp_path, place.source)
    assert store.releases() == ()
    for release in made:
        place.add(release.id, signed(release))
    assert [stored.release.created[5:7] for stored in store.releases()] == ["09", "08", "07"]
    assert store.get(made[0].id).body == signed(made[0])
    assert store.get("rel_" + "0" * 20) is None


def test_what_another_key_signed_or_nobody_is_not_served_and_is_reported(place, tmp_path: Path) -> None:
    forged = sample(epoch="2025-08")
    place.add(sample().id, signed(sample()))
    place.add(forged.id, signed(forged, OTHER_KEY))
    place.add("rel_" + "1" * 20, b"{")
    store = ReleaseStore(tmp_path, place.source)
    assert [stored.release.id for stored in store.releases()] == [sample().id]
    assert len(store.rejected()) == 2


def test_a_release_that_did_not_change_is_read_once(place, tmp_path: Path, monkeypatch) -> None:
    place.add(sample().id, signed(sample()))
    store = ReleaseStore(tmp_path, place.source)
    first = store.get(sample().id)
    monkeypatch.setattr("sfumato.serve.store.loads", lambda _raw: pytest.fail("read again"))
    assert store.get(sample().id) is first


def test_a_row_changed_by_the_tables_owner_is_verified_anew_and_no_longer_served(tmp_path: Path) -> None:
    pin(tmp_path)
    url = postgres.server().database()
    place = InTable(url)
    place.add(sample().id, signed(sample()))
    store = ReleaseStore(tmp_path, place.source)
    assert store.releases()
    postgres.run(
        url, "ALTER TABLE releases DISABLE TRIGGER ALL", "UPDATE releases SET body = overlay(body PLACING 'x' FROM 40)"
    )
    assert store.releases() == ()
    place.close()


def test_adding_a_release_again_changes_nothing_and_adding_another_under_its_id_neither(tmp_path: Path) -> None:
    pin(tmp_path)
    place = InTable(postgres.server().database())
    for body in (signed(sample()), signed(sample()), b"another"):
        place.add(sample().id, body)
    assert ReleaseStore(tmp_path, place.source).get(sample().id).body == signed(sample())
    place.close()


def test_a_database_that_is_gone_is_said_in_one_line(tmp_path: Path) -> None:
    url = postgres.server().admin.set(database="nowhere", password="hunter2secret")
    with pytest.raises(StorageError, match="can't be reached") as refusal:
        ReleaseTable(url)
    assert "hunter2secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
