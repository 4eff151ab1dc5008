"""What was paid for survives the process that paid, opens nowhere else, and shows every change but a torn end."""

import subprocess
import sys
from pathlib import Path

import pytest

from sfumato.errors import StorageError, VaultError
from sfumato.vault.journal import FLUSH_EVERY, KEY_BYTES, Journal
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys

SECRET = b"an answer that nobody may read"


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


@pytest.fixture
def keys(tmp_path):
    return EpochKeys(tmp_path / "keystore", RootKey(b"t" * 32))


@pytest.fixture
def epoch_key(keys):
    return keys.create("chats", "2026-11", "derived")


def test_what_was_put_is_there_for_the_next_process_and_the_last_one_counts(tmp_path, epoch_key):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        journal.put(key(1), b"one")
        journal.put(key(2), b"two")
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        journal.put(key(1), b"new")
        assert journal.get(key(1)) == b"new"
    again = Journal(tmp_path / "d", "seg", epoch_key)
    assert [again.get(key(n)) for n in (1, 2, 3)] == [b"new", b"two", None]


def test_nothing_of_it_stands_on_the_disk_in_clear(tmp_path, epoch_key):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        journal.put(key(7), SECRET)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "d").iterdir())
    assert SECRET not in stored
    assert key(7) not in stored
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "d").iterdir()] == [0o600]


def test_what_comes_after_the_end_is_refused_and_leaves_a_journal_that_opens(tmp_path, epoch_key):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        journal.put(key(1), b"one")
    for _ in range(2):
        with pytest.raises(StorageError, match="closed"):
            journal.put(key(2), b"late")
    assert list(Journal(tmp_path / "d", "seg", epoch_key).values()) == [b"one"]


def test_two_processes_never_write_one_file(tmp_path, epoch_key):
    """An envelope's nonce follows from its file and place: a second writer of one file would use nonces again."""
    for number in range(3):
        with Journal(tmp_path / "d", "seg", epoch_key) as journal:
            journal.put(key(number), b"x")
    assert len(list((tmp_path / "d").iterdir())) == 3


def test_a_torn_end_is_passed_over_and_what_came_before_it_stays(tmp_path, epoch_key):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        journal.put(key(1), b"one")
        whole = next((tmp_path / "d").iterdir()).stat().st_size
        journal.put(key(2), b"two")
    (path,) = (tmp_path / "d").iterdir()
    content = path.read_bytes()
    for cut in (*range(whole, len(content)), 3, 20):
        path.write_bytes(content[:cut])
        held = Journal(tmp_path / "d", "seg", epoch_key)
        assert held.get(key(1)) == (b"one" if cut >= whole else None)
        assert held.get(key(2)) is None


def test_a_changed_moved_or_foreign_entry_is_an_alarm(tmp_path, epoch_key, keys):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal:
        for number in range(3):
            journal.put(key(number), b"value")
    (path,) = (tmp_path / "d").iterdir()
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(VaultError):
        Journal(tmp_path / "d", "seg", epoch_key)
    content[60] ^= 1
    path.write_bytes(content)
    path.rename(tmp_path / "d" / "other.000001.jnl")
    with pytest.raises(VaultError):
        Journal(tmp_path / "d", "other", epoch_key)
    with pytest.raises(VaultError):
        Journal(tmp_path / "d", "other", keys.create("chats", "2026-12", "derived"))


def test_a_killed_process_loses_nothing_it_was_told_is_written(tmp_path):
    """Fewer entries than are flushed together: only a power cut could take them."""
    script = f"""
import os, signal
from pathlib import Path
from sfumato.vault.journal import Journal
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
key = EpochKeys(Path({str(tmp_path / "keystore")!r}), RootKey(b"t" * 32)).create("chats", "2026-11", "derived")
journal = Journal(Path({str(tmp_path / "d")!r}), "seg", key)
for number in range({FLUSH_EVERY - 1}):
    journal.put(number.to_bytes(32, "big"), b"value")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    held = Journal(
        tmp_path / "d", "seg", EpochKeys(tmp_path / "keystore", RootKey(b"t" * 32)).open("chats", "2026-11", "derived")
    )
    assert len(list(held.values())) == FLUSH_EVERY - 1


def test_an_entry_that_could_not_be_written_is_not_there_and_the_next_one_is(tmp_path, epoch_key, monkeypatch):
    """The disk fills in the middle of an entry; what comes after goes to a new file, not behind half an entry."""
    journal = Journal(tmp_path / "d", "seg", epoch_key)
    journal.put(key(1), b"one")

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, piece):
            self.file.write(piece[:10])
            self.file.flush()
            raise OSError(28, "full")

        def close(self):
            self.file.close()

    monkeypatch.setattr(journal, "_file", Full(journal._file), raising=False)
    with pytest.raises(StorageError, match="no space"):
        journal.put(key(2), b"two")
    assert journal.get(key(2)) is None
    journal.put(key(3), b"three")
    journal.__exit__()
    held = Journal(tmp_path / "d", "seg", epoch_key)
    assert [held.get(key(n)) for n in (1, 2, 3)] == [b"one", None, b"three"]


def test_wiping_removes_every_file_of_this_name_and_no_other(tmp_path, epoch_key):
    with Journal(tmp_path / "d", "seg", epoch_key) as journal, Journal(tmp_path / "d", "kept", epoch_key) as kept:
        journal.put(key(1), b"one")
        kept.put(key(1), b"one")
        journal.wipe()
        assert journal.get(key(1)) is None
    assert [path.name.split(".")[0] for path in Path(tmp_path / "d").iterdir()] == ["kept"]
