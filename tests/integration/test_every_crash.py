"""A run that dies before any of its changes to the disk, by a kill or a power cut: every state it leaves is checked.

The states are enumerated, not sampled: `dying.Disk` keeps that of every moment of one run, and each that differs is
laid out again, looked at as it lies, and recovered from.
"""

from __future__ import annotations

import json
import os
import re
import signal
import warnings
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from itertools import pairwise

import pytest

from crashes import IN_A_SEGMENT, USERS, Run, check_every_state, moments_of, shape, small_and_in_one_process
from dying import Disk, changed, tree_of
from gateways import write_distinct
from sfumato.extraction import Extraction
from sfumato.vault import container, durable, elsewhere
from sfumato.vault.derived import DerivedStore
from sfumato.vault.manifest import Manifest
from sfumato.vault.rawzone import RawZone


@pytest.fixture(autouse=True)
def small():
    with small_and_in_one_process():
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_distinct(tmp_path_factory.mktemp("log") / "chats.jsonl", users=USERS)


@pytest.fixture(scope="module")
def moments(tmp_path_factory, corpus):
    """Those of one run, which every test looks at."""
    with small_and_in_one_process():
        return moments_of(tmp_path_factory.mktemp("moments"), corpus)


def test_a_run_that_dies_at_any_moment_loses_nothing_and_shows_nothing(tmp_path, corpus, moments, monkeypatch):
    assert len(moments) > 200
    monkeypatch.setattr(os, "fsync", lambda _: None)  # what recovers is not cut short
    seen = set()
    killed = check_every_state(moments, tmp_path, corpus, "killed", seen=seen)
    assert killed > 100
    assert check_every_state(moments, tmp_path, corpus, "cut", seen=seen) > killed + 10


def test_a_run_into_a_bucket_that_dies_at_any_moment_loses_nothing_and_leaves_no_object(tmp_path, corpus, monkeypatch):
    moments = moments_of(tmp_path, corpus, bucket=True)
    removed = {moment.call for moment in moments if re.match(r"unlink chats@.*\.seg$", moment.call)}
    assert len(removed) == USERS // IN_A_SEGMENT
    monkeypatch.setattr(os, "fsync", lambda _: None)
    seen = set()
    killed = check_every_state(moments, tmp_path, corpus, "killed", seen=seen, bucket=True)
    assert killed > 100
    assert check_every_state(moments, tmp_path, corpus, "cut", seen=seen, bucket=True) > killed


def test_no_change_to_the_disk_goes_unseen(moments):
    """Between one moment and the next at most one file changes, a renamed one under two names."""
    for before, after in pairwise(moments):
        assert len(changed(before.killed, after.killed)) <= 1 + before.call.startswith("replace"), before.call


def test_the_states_are_those_that_a_real_kill_leaves(tmp_path, corpus, moments, monkeypatch):
    """A process that SIGKILL ends before its n-th call leaves what the n-th moment says."""
    for number in range(9, len(moments), 40):
        folder = tmp_path / f"victim-{number}"
        folder.mkdir(mode=0o700)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: this child only runs Python
            child = os.fork()
        if child == 0:
            try:
                die = partial(lambda n, now, _: now == n and os.kill(os.getpid(), signal.SIGKILL), number)
                with Disk(root=folder, instead=die):
                    Run(folder / "data", corpus, monkeypatch).go()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert shape(tree_of(folder, {})) == shape(moments[number - 1].killed), moments[number - 1].call


def forgetful_segment(self, path, raw_key):
    """Deletes the ciphertext before the extracts are stored."""
    with self._reader(path.stem) as read:
        batches = [read(batch) for batch in self._batches(path, raw_key)]
        self._raw.retire(path, raw_key)
        DerivedStore(self._folder, self._key).write(path.stem, batches)


def early_run(self, raw_key):
    """Destroys the key first: memory still has it."""
    self._raw.keys.destroy(raw_key.dataset, raw_key.epoch, "raw")
    ordinary_run(self, raw_key)


def unflushed(path, pieces):
    """Neither bytes nor name are flushed."""
    temporary = path.with_name(f".{path.name}{durable.TEMPORARY}")
    with os.fdopen(os.open(temporary, durable._CREATE, 0o600), "wb") as file:
        file.writelines(pieces)
    temporary.replace(path)


def nameless(path, pieces):
    """The bytes are flushed, the name is not."""
    temporary = path.with_name(f".{path.name}{durable.TEMPORARY}")
    durable._fill(temporary, pieces)
    temporary.replace(path)


def loose_directory(path):
    """As it was before the harness: the directory's own name is not flushed."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def spilling_add(self, plaintext, **named):
    """Keeps what it seals in a file beside, for a moment."""
    durable.write(SPILL[0], [plaintext])
    durable.remove(SPILL, inside=SPILL[0].parent)
    ordinary_add(self, plaintext, **named)


def hasty_clear(self):
    """As it was before the harness: in any order."""
    names = sorted(self._intent.parent.iterdir(), key=lambda path: path.name)
    durable.remove(names, inside=self._intent.parent)


def keeping_discard(self, key, **_):
    """Says that it is discarded."""
    for segment in self.segments():
        self.retire(segment, key)


def silent_finish(self):
    """Leaves no receipt."""
    if self.folder.is_dir():
        Manifest(self.folder).clear()


def unannounced(self, receipt):
    """The intent is not noted, so that after a crash nobody can write the receipt."""


ordinary_run, ordinary_add, SPILL = Extraction.run, container.Draft.add, []
MUTANTS = {
    "ciphertext deleted before extracts are stored": ("killed", [(Extraction, "_segment", forgetful_segment)], "lost"),
    "key destroyed before extraction": ("killed", [(Extraction, "run", early_run)], "lost"),
    "nothing flushed": ("cut", [(durable, "write", unflushed)], "lost"),
    "name not flushed": ("cut", [(durable, "write", nameless)], "lost"),
    "directory not flushed": ("cut", [(durable, "directory", loose_directory)], "lost"),
    "text in a temporary file": ("killed", [(container.Draft, "add", spilling_add)], "text in"),
    "manifest outlives its receipt": ("killed", [(Manifest, "clear", hasty_clear)], "left in the raw zone"),
    "key kept": ("killed", [(RawZone, "discard", keeping_discard)], "kept"),
    "no receipt": ("killed", [(RawZone, "finish", silent_finish)], "no receipt"),
    "intent not noted": ("killed", [(Manifest, "intend", unannounced)], "no receipt|left in the raw zone"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_harness_catches_what_would_break_a_promise(tmp_path, corpus, monkeypatch, name):
    kind, patches, words = MUTANTS[name]
    SPILL[:] = [tmp_path / "run" / "data" / "spill"]
    for owner, attribute, mutant in patches:
        monkeypatch.setattr(owner, attribute, mutant)
    moments = moments_of(tmp_path, corpus)
    recover = words not in {"lost", "text in"}
    if recover:  # what is wrong with a discard shows around it
        calls = [moment.call for moment in moments]
        destroyed = next((at for at, call in enumerate(calls) if call.endswith("@raw.key") and "write" in call), -10)
        moments = moments[destroyed - 2 :][:16]
    with pytest.raises(AssertionError, match=words):
        check_every_state(moments, tmp_path, corpus, kind, recover=recover)


def unnoted_put(folder, name, pieces, *, records, store):
    """The object is there before anything says so."""
    held = b"".join(pieces)
    store.put(f"{folder.parent.name}/{folder.name}/{name}.seg", held)
    return ordinary_put(folder, name, [held], records=records, store=store)


def hasty_put(folder, name, pieces, *, records, store):
    """The note counts before the object is there."""
    held = b"".join(pieces)
    note = elsewhere.Note(store=store.url, bytes=len(held), records=records, sha256=sha256(held).hexdigest())
    content = json.dumps({"format": elsewhere.FORMAT, **asdict(note)}).encode()
    durable.write(folder / f"{name}{elsewhere.REF}", [content])
    store.put(f"{folder.parent.name}/{folder.name}/{name}.seg", held)
    return note.sha256


def unclear(folder, store):
    """The notes go, the objects stay."""
    durable.remove(sorted(folder.glob(f"*{elsewhere.STRAY}")), inside=folder)


ordinary_put = elsewhere.put
MUTANTS_IN_A_BUCKET = {
    "object put before its note": ("put", unnoted_put, "an object is left"),
    "note counts before its object": ("put", hasty_put, "a segment is gone"),
    "objects left": ("clear", unclear, "a segment it lists is still in"),
}


@pytest.mark.parametrize("name", MUTANTS_IN_A_BUCKET)
def test_the_harness_catches_what_would_break_a_promise_in_a_bucket(tmp_path, corpus, monkeypatch, name):
    attribute, mutant, words = MUTANTS_IN_A_BUCKET[name]
    monkeypatch.setattr(elsewhere, attribute, mutant)
    moments = moments_of(tmp_path, corpus, bucket=True)
    with pytest.raises(AssertionError, match=words):
        check_every_state(moments, tmp_path, corpus, "killed", bucket=True)
