"""What `discard verify` looks at: receipts and what followed them, every root key named, and what lies around."""

from __future__ import annotations

import hmac
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateways import gateway, policy, quiet, write_corpus
from key_services import aws, google, key_service, transit
from sfumato import custody
from sfumato.custody import Deployment
from sfumato.errors import InputError, KeyMissing, StorageError, VaultError
from sfumato.model.layout import Layout
from sfumato.vault import deployment, discard, followups, rotation, surroundings
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import read_segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 4, 1, tzinfo=UTC).isoformat()


def sign(content: bytes) -> bytes:
    return hmac.digest(b"signing key", content, "sha256")


def holds(content: bytes, mark: bytes) -> bool:
    return hmac.compare_digest(sign(content), mark)


@pytest.fixture
def ran(tmp_path: Path) -> Layout:
    """A data directory after a whole run."""
    with gateway(tmp_path / "data", policy=policy()) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=40)), advance=quiet)
        opened.forget("person-00001")
        opened.extract(advance=quiet)
        opened.release()
    return Layout(data=tmp_path / "data")


def kernel(folder: Path, *, swaps: str = "", pattern: str = "core", setuid: str = "0") -> Path:
    """What a kernel tells of itself."""
    for name, content in (
        ("swaps", f"Filename Type Size Used Priority\n{swaps}"),
        ("sys/kernel/core_pattern", pattern),
        ("sys/fs/suid_dumpable", setuid),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return folder


def verdicts(layout: Layout, proc: Path) -> dict[str, str]:
    return {one.what: one.verdict for one in surroundings.findings(layout, proc=proc)}


def test_after_a_run_everything_around_it_is_good_and_each_thing_that_is_wrong_shows_by_itself(ran, tmp_path):
    quiet_kernel = kernel(tmp_path / "proc")
    good = verdicts(ran, quiet_kernel)
    assert set(good) >= {"leftover files", "file modes", "database ledger.db", "database log.db", "swap", "core files"}
    assert set(good.values()) == {"good"}

    def changed(change: Callable[[], object], undo: Callable[[], object]) -> set[str]:
        change()
        found = verdicts(ran, quiet_kernel)
        undo()
        assert verdicts(ran, quiet_kernel) == good
        return {what for what, verdict in found.items() if verdict != "good"}

    left = ran.data / "raw" / ".0011.seg.00.tmp"
    left.parent.mkdir(exist_ok=True)
    assert changed(lambda: left.write_bytes(b"x"), left.unlink) == {"leftover files"}
    core = ran.data / "core.123"
    assert changed(lambda: core.write_bytes(b"x"), core.unlink) == {"leftover files"}

    def opened(mode: int) -> None:
        ran.data.chmod(0o755 if mode == 0o644 else 0o700)
        ran.ledger.chmod(mode)

    assert changed(lambda: opened(0o644), lambda: opened(0o600)) == {"file modes"}

    def journal(mode: str) -> None:
        with closing(sqlite3.connect(ran.ledger)) as db:
            db.execute(f"pragma journal_mode={mode}")

    assert changed(lambda: journal("delete"), lambda: journal("wal")) == {"database ledger.db"}


@pytest.mark.parametrize(
    ("told", "bad"),
    [
        ({"swaps": "/dev/sda2 partition 8 0 -2"}, {"swap"}),
        ({"swaps": "/dev/zram0 partition 8 0 100"}, set()),
        ({"pattern": "|/usr/lib/systemd/systemd-coredump %P"}, set()),
        ({"setuid": "2"}, {"core files"}),
    ],
)
def test_swap_and_core_files_are_told_as_the_kernel_tells_them(tmp_path, told, bad):
    data = tmp_path / "data"
    data.mkdir()
    found = verdicts(Layout(data=data), kernel(tmp_path / "proc", **told))
    assert {what for what, verdict in found.items() if verdict == "bad"} == bad


def test_where_the_kernel_tells_nothing_it_is_unknown_and_not_good(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    found = verdicts(Layout(data=data), tmp_path / "none")
    assert (found["swap"], found["core files"]) == ("unknown", "unknown")


def test_verify_names_every_root_key_it_tried_and_says_what_it_can_and_cannot_prove(ran):
    root = RootKey(b"t" * 32)
    keys = EpochKeys(ran.keystore, root)
    found = discard.verify(ran, keys, holds=custody.holds(root), former=[RootKey(b"o" * 32)])
    assert found["good"]
    assert found["tried"] == [root.id, RootKey(b"o" * 32).id]
    assert "overwrote and unlinked" in found["proves"]
    assert "swap" in found["does_not_prove"]
    assert found["receipts"][0]["state"] == "unusable"
    assert {one["what"] for one in found["surroundings"]} >= {"swap", "core files", "leftover files", "file modes"}


SERVICES = ("aws", "google", "transit")


@pytest.fixture(params=SERVICES)
def kept(request, monkeypatch):
    """A root key in a service, and the service."""
    with key_service() as service:
        opened = aws(service, "old", monkeypatch) if request.param == "aws" else None
        if request.param == "google":
            opened = google(service, "old")
        yield opened or transit(service, "old"), service


def discarded(layout: Layout, root: object) -> str:
    """A receipt of a key that this root key wrapped; its id."""
    deployment.secrets(layout.keystore, root)
    keys = EpochKeys(layout.keystore, root)
    key = keys.create("ds", "2026-03", "raw")
    folder = layout.raw / "ds" / "2026-03"
    folder.mkdir(parents=True)
    zone = RawZone(dataset="ds", part="2026-03", folder=folder, keys=keys, receipts=layout.receipts, sign=sign)
    return zone.discard(key, policy="p", ingested=NOW, destroyed=NOW)


def followed(layout: Layout, root: object) -> list[tuple[str, str]]:
    told: list[object] = []
    made = discard.follow(
        layout.receipts, [root], holds=holds, sign=sign, record=told.append, checked="2026-05-01T00:00:00Z"
    )
    assert told == made
    return [(one.receipt, one.state) for one in made]


def test_a_receipt_is_unusable_until_the_service_says_that_the_root_key_is_gone(kept, tmp_path):
    """Pending deletion is not destruction: the key can be had back until its day."""
    root, service = kept
    layout = Layout(data=tmp_path)
    receipt = discarded(layout, root)
    new = RootKey(b"n" * 32)
    rotation.rotate(layout.keystore, old=root, new=new)
    assert followed(layout, root) == []
    states = []
    for mood in ("pending", "gone"):
        service.mood = mood
        assert followed(layout, root) == [(receipt, {"pending": "unusable", "gone": "destroyed"}[mood])]
        found = discard.verify(layout, EpochKeys(layout.keystore, new), holds=holds)["receipts"][0]
        states.append(found["state"])
        assert found["good"]
        assert found["evidence"]["root"] == root.id
        assert found["evidence"]["answer"]
    assert states == ["unusable", "destroyed"]
    service.mood = "pending"
    assert followed(layout, root) == []  # what is destroyed does not come back


@pytest.mark.parametrize("mood", ["denied", "down", "nonsense"])
def test_a_service_that_says_nothing_is_no_evidence(kept, tmp_path, mood):
    root, service = kept
    layout = Layout(data=tmp_path)
    discarded(layout, root)
    service.mood = mood
    if mood == "denied" and type(root).__name__ == "TransitKey":
        root._token = lambda: "another-token-of-nobody"
        service.mood = "well"
        service._vault = lambda *_: (403, {"errors": ["permission denied"]})
    with pytest.raises((KeyMissing, StorageError)):
        followed(layout, root)
    assert not list(layout.receipts.glob(f"*{followups.SUFFIX}"))


def test_receipts_of_other_root_keys_are_left_alone(tmp_path, monkeypatch):
    with key_service() as service:
        layout, root = Layout(data=tmp_path), aws(service, "old", monkeypatch)
        discarded(layout, root)
        other = aws(service, "other", monkeypatch)
        service.mood = "gone"
        assert followed(layout, other) == []


@pytest.mark.parametrize("change", [lambda d: d.update(state="destroyed"), lambda d: d.update(receipt="0" * 32),
                                    lambda d: d.update(signature="AAAA"), lambda d: d.pop("root")])  # fmt: skip
def test_what_follows_a_receipt_can_not_be_altered(tmp_path, change):
    import json

    found = followups.FollowUp(receipt="f" * 32, root="aws-kms:x", state="unusable", evidence={}, checked="now")
    followups.write(tmp_path, found, sign=sign)
    assert followups.read(tmp_path, "f" * 32, verify=holds) == found
    path = tmp_path / f"{'f' * 32}{followups.SUFFIX}"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(VaultError):
        followups.read(tmp_path, "f" * 32, verify=holds)


def test_a_key_of_this_machine_has_no_keeper_to_ask(tmp_path):
    RootKey.create(tmp_path / "root.key")
    with pytest.raises(InputError, match="only a key service"):
        custody.kept(Deployment(data=tmp_path / "data"), f"file:{tmp_path / 'root.key'}")


def test_a_backup_without_the_key_store_opens_nothing(tmp_path):
    """Database and segments as they were before the discard, put back after it, with the root key at hand."""
    data, saved = tmp_path / "data", tmp_path / "saved"
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=40)), advance=quiet)
        shutil.copytree(data, saved, ignore=shutil.ignore_patterns("keystore", ".*.lock"))
        key = opened._ports.epoch_keys.open("chats", opened._part, "raw")
        assert opened.waiting() == 80  # the control: with its key it opens
        receipt = opened.extract(advance=quiet)
        opened.release()
    assert list(saved.rglob("*.seg"))
    shutil.copytree(saved, tmp_path / "elsewhere")
    shutil.copytree(saved / "raw", data / "raw", dirs_exist_ok=True)
    for where in (tmp_path / "elsewhere", data):
        with gateway(where, policy=policy()) as restored:
            assert restored._raw.segments()
            assert restored._raw.key() is None
            assert restored.waiting() == 0
            with pytest.raises(KeyMissing, match="destroyed"):
                restored.extract(advance=quiet)
    for path in saved.rglob("*.seg"):  # nor under any other key that is left anywhere
        for made in (EpochKeys(data / "keystore", RootKey(b"t" * 32)), EpochKeys(tmp_path / "k", RootKey(b"t" * 32))):
            again = made.create("chats", key.epoch, "raw")
            with pytest.raises(VaultError):
                list(read_segment(path, again))
    root = RootKey(b"t" * 32)
    found = discard.verify(Layout(data=data), EpochKeys(data / "keystore", root), holds=custody.holds(root))
    assert [one["problems"] for one in found["receipts"] if one["id"] == receipt] == [
        ["a file it lists is still on the disk"]
    ]
    shutil.copytree(saved, data, dirs_exist_ok=True)
    with pytest.raises(StorageError, match="does not account"), gateway(data, policy=policy()):
        pass  # the old ledger is not believed beside a newer release


def test_somebody_is_cut_from_a_key_that_a_service_wraps(kept, tmp_path):
    root, service = kept
    deployment.secrets(tmp_path, root)
    keys, person = EpochKeys(tmp_path, root), bytes(16)
    before = keys.create("ds", "2026-03", "raw")
    assert keys.cut("ds", "2026-03", person)
    after = EpochKeys(tmp_path, root).open("ds", "2026-03", "raw")
    assert (after.id, after.people().key_of(person)) == (before.id, None)
    assert after.people().key_of(b"o" * 16) == before.people().key_of(b"o" * 16)
    assert keys.remains("ds", "2026-03", before.id.hex()) == ["a file in the key store still holds it, wrapped",
                                                              "its key still opens"]  # fmt: skip
    service.mood = "down"
    with pytest.raises(StorageError):
        keys.cut("ds", "2026-03", b"o" * 16)
    service.mood = "well"
    assert keys.open("ds", "2026-03", "raw").people().key_of(b"o" * 16) is not None
