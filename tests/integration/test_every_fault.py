"""A run whose disk, key service or clock fails at any of its calls: one line says so, and the next run finishes."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta

import pytest

from audits import report_on
from crashes import USERS, check_discarded, check_whole, moments_of, opened_at, shape, small_and_in_one_process
from dying import Disk, tree_of
from gateways import ROOT, quiet, write_distinct
from key_services import key_service, transit
from sfumato.errors import KeyMissing, StorageError
from sfumato.model.layout import Layout

FAULTS = {
    errno.ENOSPC: ("no space is left", False),
    errno.EIO: ("Input/output error", False),
    errno.EROFS: ("read-only", True),
}
PLANTED = "/a path that a message does not repeat"


@pytest.fixture(autouse=True)
def small():
    with small_and_in_one_process():
        yield


@pytest.fixture
def corpus(tmp_path):
    return write_distinct(tmp_path / "chats.jsonl", users=USERS)


class Failing:
    """Refuses the n-th call to the system, and all after it where the fault lasts."""

    def __init__(self, at, code, *, lasting):
        self.at, self.code, self.lasting, self.calls, self.refused = at, code, lasting, 0, ""

    def __call__(self, _, call):
        if call.startswith("sql") or call == "the end":
            return  # SQLite reports its own
        self.calls += 1
        if self.calls == self.at or (self.lasting and self.calls > self.at):
            self.refused = self.refused or call
            raise OSError(self.code, os.strerror(self.code), PLANTED)


def go(data, corpus, **how):
    with opened_at(data, **how) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)


def finish(data, corpus, root=ROOT, **how):
    with opened_at(data, root=root, **how) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        check_whole(opened)
    check_discarded(data, derived_too=False, root=root)


def one_line(failure, *, words):
    assert words in str(failure)
    assert PLANTED not in str(failure)
    assert "\n" not in str(failure)


def test_a_disk_that_refuses_any_call_is_one_line_and_the_next_run_finishes(tmp_path, corpus, monkeypatch):
    """Every call fails once; full, broken and read-only take turns, and each kind of call recurs often enough."""
    moments = moments_of(tmp_path, corpus)
    begun = next(moment.killed for moment in moments if moment.call == "mkdir keystore")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # counted and refused all the same
    seen, met = set(), set()
    for at in range(1, 1000):
        code = list(FAULTS)[at % len(FAULTS)]
        words, lasting = FAULTS[code]
        folder = tmp_path / f"run-{at}"
        begun.restore(folder)
        failing = Failing(at, code, lasting=lasting)
        try:
            with Disk(root=folder, instead=failing):
                go(folder / "data", corpus)
        except StorageError as failure:
            one_line(failure, words=words)
            met.add((code, failing.refused.partition(" ")[0]))
        left = repr(shape(tree_of(folder, {})))
        if left not in seen:  # where nothing differs but random names and bytes, recovery is no different
            seen.add(left)
            finish(folder / "data", corpus)
        if failing.calls < at:
            break
    assert at > 60
    assert len(seen) > 15
    assert {call for _, call in met} >= {"open", "write", "fsync", "replace", "unlink", "mkdir"}


class Moody:
    """A key service that falls ill at its n-th request and stays so, or answers again after two failures."""

    def __init__(self, service, at, mood):
        self.answer, self.service, self.at, self.mood, self.requests = service.answer, service, at, mood, 0
        service.answer = self

    def __call__(self, *request):
        self.requests += 1
        if self.requests == self.at:
            if self.mood == "flapping":
                self.service.flaps = 2
            else:
                self.service.mood = self.mood
        return self.answer(*request)

    def heal(self):
        self.service.mood, self.service.flaps, self.service.answer = "well", 0, self.answer


@pytest.mark.parametrize("moods", [("denied", "down"), ("slow", "flapping")])
def test_a_key_service_that_fails_at_any_request_loses_no_key_and_no_conversation(tmp_path, corpus, moods, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    with key_service() as service:
        root = transit(service, "root")
        for at in range(1, 100):
            data, mood = tmp_path / f"run-{at}", moods[at % 2]
            moody = Moody(service, at, mood)
            try:
                go(data, corpus, root=root)
            except (StorageError, KeyMissing) as failure:
                assert mood != "flapping", "two failures in a row are borne"
                one_line(failure, words="")
            reached = moody.requests >= at
            moody.heal()
            finish(data, corpus, root=root)
            if not reached:
                break
    assert at > 5


@pytest.mark.parametrize(
    ("jump", "when"),
    [
        (timedelta(days=-4000), "after ingest"),
        (timedelta(days=-4000), "within ingest"),
        (timedelta(hours=20), "within ingest"),
        (timedelta(days=4000), "after ingest"),
    ],
)
def test_a_clock_that_jumps_breaks_no_promise(tmp_path, corpus, jump, when, monkeypatch):
    """Backwards nothing is too old. Forwards past the limit of raw text it is destroyed, and said to be."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    data, times = tmp_path / "data", [datetime.now(UTC)]
    with opened_at(data, now=lambda: times[-1]) as opened:
        opened.ingest(str(corpus), advance=lambda _: when == "within ingest" and times.append(times[0] + jump))
    times.append(times[0] + jump)
    if jump < timedelta(days=1):
        finish(data, corpus, now=lambda: times[-1])
    else:
        with opened_at(data, now=lambda: times[-1]):
            assert not list(data.rglob("*.seg"))
        check_discarded(data, derived_too=True)
        finish(data, corpus, now=lambda: times[0])
    assert report_on(Layout(data=data).audit).good
