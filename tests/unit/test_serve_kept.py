"""Cursors, shelves and what is remembered for a moment: each gives back what was put in, and forgets when it must."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import threading
import time
from base64 import urlsafe_b64encode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import sample
from sfumato.errors import InputError, StorageError
from sfumato.serve import cursor
from sfumato.serve.access import Decision
from sfumato.serve.ahead import Ahead
from sfumato.serve.api_keys import Principal
from sfumato.serve.kept import Kept
from sfumato.serve.recent import DECISIONS, RecentDecisions, RecentReleases, file_stamp
from sfumato.serve.shelf import Page, Shelf
from sfumato.serve.store import Stored

RELEASE = sample()
GRANTED = Decision(allowed=True, reason="granted", principal=Principal(key_id="0" * 16, role="analyst"))
DENIED = Decision(allowed=False, reason="revoked", principal=None)


def test_a_cursor_leads_back_to_its_place():
    assert cursor.read(cursor.after(RELEASE)) == cursor.place_of(RELEASE)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode().rstrip("=")))
def test_what_is_no_cursor_is_our_error_and_nothing_else(word):
    with pytest.raises(InputError, match="cursor"):
        cursor.read(word)


@pytest.mark.parametrize(
    "plain", ["2\n2025-01-01T00:00:00Z\n{}", "1\n2025-01-01T00:00:00\n{}", "1\nyesterday\n{}", "1\n{}"]
)
def test_a_cursor_of_another_version_or_without_a_zone_is_none(plain):
    word = urlsafe_b64encode(plain.format(RELEASE.id).encode()).decode().rstrip("=")
    with pytest.raises(InputError):
        cursor.read(word)


def page(size: int) -> Page:
    return Page(body=b"x" * size, etag='"x"')


def test_a_shelf_holds_so_many_bytes_and_lets_go_of_what_was_read_longest_ago():
    shelf = Shelf(100)
    for view in ("a", "b"):
        shelf.page("r", view, lambda: page(40))
    assert shelf.held("r", "a") is not None
    shelf.page("r", "c", lambda: page(40))
    assert [view for view in "abc" if shelf.held("r", view)] == ["a", "c"]


def test_a_page_too_large_for_the_shelf_is_made_each_time():
    made = []
    shelf = Shelf(10)
    for _ in range(2):
        assert len(shelf.page("r", "a", lambda: made.append(1) or page(11)).body) == 11
    assert (len(made), shelf.held("r", "a")) == (2, None)


def test_what_is_kept_is_made_once_and_the_oldest_goes():
    made = []
    kept = Kept(2)
    for name in ("a", "b", "a", "c", "a", "b"):
        kept.get(name, lambda name=name: made.append(name) or name)
    assert made == ["a", "b", "c", "b"]


def test_what_fails_to_be_made_is_not_kept():
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 5) == 5


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


class Store:
    def __init__(self):
        self.asked = 0
        self.held = (Stored(release=RELEASE, document={}, body=b"{}"),)

    def releases(self):
        self.asked += 1
        return self.held


class Asked:
    """A gatekeeper that counts, and grants what its token says."""

    lasts: float | None = None
    denies = False

    def __init__(self):
        self.asked = 0

    def decide(self, token, operation):
        self.asked += 1
        allowed = token != "bad" and not self.denies
        return dataclasses.replace(GRANTED, reason="granted", lasts=self.lasts) if allowed else DENIED

    def check(self):
        raise LookupError


class Later:
    """What is to be done ahead of time, done when the test says so."""

    def __init__(self):
        self.asked = {}

    def ask(self, name, work):
        self.asked[name] = work

    def do(self):
        while self.asked:
            self.asked.popitem()[1]()


def test_releases_are_read_once_a_second():
    store, clock = Store(), Clock()
    recent = RecentReleases(store, now=clock)
    assert recent.at_hand(RELEASE.id) is None
    for moment in (0.0, 0.5, 0.99, 1.0, 1.5):
        clock.time = moment
        assert recent.get(RELEASE.id) is recent.at_hand(RELEASE.id) is recent.releases()[0]
    assert store.asked == 2
    assert recent.get("rel_" + "0" * 20) is None


def test_a_decision_is_remembered_for_a_second_per_token_and_operation():
    access, clock = Asked(), Clock()
    recent = RecentDecisions(access, lambda: "same", now=clock)
    for token, operation in (
        ("a", "releases"),
        ("a", "releases"),
        ("b", "releases"),
        ("a", "policy"),
        ("b", "releases"),
    ):
        assert recent.decide(token, operation).allowed
    assert access.asked == 3
    clock.time = 1.0
    assert recent.at_hand("a", "releases") is None
    recent.decide("a", "releases")
    assert access.asked == 4


def test_a_decision_is_remembered_for_as_long_as_it_lasts():
    access, clock = Asked(), Clock()
    recent = RecentDecisions(access, lambda: "same", now=clock)
    for lasts, until in ((10.0, 10.0), (0.3, 10.3)):
        access.lasts = lasts
        recent.decide("a", "releases")
        clock.time = until - 0.01
        assert recent.at_hand("a", "releases")
        clock.time = until
        assert recent.at_hand("a", "releases") is None


def test_what_is_in_use_is_asked_again_before_it_is_too_old_and_a_denial_ends_it():
    access, clock, store = Asked(), Clock(), Store()
    ahead = Later()
    recent = RecentDecisions(access, lambda: "same", now=clock, ahead=ahead)
    releases = RecentReleases(store, now=clock, ahead=ahead)
    recent.decide("a", "releases")
    releases.get(RELEASE.id)
    for moment in (0.4, 0.5, 0.9):
        clock.time = moment
        assert recent.at_hand("a", "releases")
        assert releases.at_hand(RELEASE.id)
    assert (access.asked, store.asked, len(ahead.asked)) == (1, 1, 2), "each is asked for once, from half its time on"
    ahead.do()
    clock.time = 1.5
    assert recent.at_hand("a", "releases")
    assert releases.at_hand(RELEASE.id)
    assert (access.asked, store.asked) == (2, 2)
    access.denies = True
    ahead.do()
    assert recent.at_hand("a", "releases") is None


def test_ahead_does_each_thing_once_and_goes_on_after_a_failure():
    ahead, done, may = Ahead(), [], threading.Event()

    def fails():
        may.wait(5)
        raise StorageError("not now")

    ahead.ask("first", fails)
    for number in range(3):
        ahead.ask("second", lambda number=number: done.append(number))
    may.set()
    for _ in range(200):
        if done and not ahead._runs:
            break
        time.sleep(0.01)
    assert done == [2]
    ahead.ask("third", lambda: done.append("third"))
    for _ in range(200):
        if len(done) == 2:
            break
        time.sleep(0.01)
    assert done == [2, "third"]


def test_ahead_goes_on_after_a_moment_without_threads(monkeypatch):
    ahead, done = Ahead(), threading.Event()

    def none_left(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        ahead.ask("first", done.set)
    assert not done.is_set()
    ahead.ask("first", done.set)
    assert done.wait(5)


def test_denials_and_the_absence_of_a_key_are_never_remembered():
    access = Asked()
    recent = RecentDecisions(access, lambda: "same")
    for token in ("bad", "bad", None, None, ""):
        recent.decide(token, "releases")
    assert access.asked == 5
    assert recent.at_hand(None, "releases") is recent.at_hand("bad", "releases") is None


def test_nothing_is_remembered_once_a_key_changed_or_where_that_cannot_be_told():
    access, stamps = Asked(), iter(["one", "one", "two", "two", None, None, None])
    recent = RecentDecisions(access, lambda: next(stamps))
    recent.decide("a", "releases")
    assert recent.at_hand("a", "releases")
    recent.decide("a", "releases")
    assert access.asked == 2
    assert recent.at_hand("a", "releases") is None


def test_only_so_many_decisions_are_remembered_and_no_token_is():
    recent = RecentDecisions(Asked(), lambda: "same")
    for number in range(DECISIONS + 5):
        recent.decide(f"token-{number}", "releases")
    assert len(recent._held) == DECISIONS
    assert "token-" not in repr(recent._held)


def test_whether_keys_can_be_read_is_always_asked():
    with pytest.raises(LookupError):
        RecentDecisions(Asked(), lambda: "same").check()


def test_the_stamp_of_a_database_moves_with_every_commit(tmp_path):
    path = tmp_path / "keys.db"
    stamp = file_stamp(path)
    assert stamp() is None
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("create table t (x)")
        seen = {stamp()}
        for number in range(50):
            db.execute("insert into t values (?)", [number])
            db.execute("delete from t")
            seen.add(stamp())
    db.close()
    assert len(seen) == 51


@pytest.mark.parametrize("resolution", [1, 2])
def test_the_stamp_moves_where_a_file_system_notes_whole_seconds_only(tmp_path, resolution):
    path, began = tmp_path / "keys.db", 1_800_000_000
    clock = Clock()
    stamp = file_stamp(path, now=lambda: int((began + clock.time) * 1e9))
    seen = []
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("create table t (x)")
        for moment in (0.0, 0.2, resolution - 0.1):
            clock.time = moment
            db.execute("insert into t values (1)")
            db.execute("delete from t")
            os.utime(path, (began, began))
            for later in (0.0, 0.05):
                clock.time = moment + later
                seen.append(stamp())
        clock.time = 10.0
        seen.append(stamp())
    db.close()
    assert [one == other for one, other in pairwise(seen)] == [True, False] * 3
