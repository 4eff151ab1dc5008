"""Killed servers, a killed gateway, a model that fails in every way: each conversation once, no answer paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateways import asking, gateway, modelled_policy, quiet, stats, write_distinct
from processes import APART
from sfumato.adapters.pacing import Tempo
from sfumato.errors import KeyMissing
from sfumato.model.layout import Layout
from sfumato.policy.schema import Policy
from sfumato.standin.server import running
from sfumato.vault.derived import DerivedStore
from sfumato.vault.journal import Journal
from sfumato.vault.segments import SegmentWriter
from terminal import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.gateway import Gateway
    from sfumato.model.extract import Extracts

USERS = 160
IN_FLIGHT = 32
ASKED = ("facets: [{name: turns}]", 'facets: [{name: tone, kind: scale, range: [1, 5], ask: "How urgent is it?"}]')
BATCHES = ("model: claude-haiku-4-5", "model: claude-haiku-4-5, batch: true")
QUICK = partial(Tempo, first_wait_s=0.05, longest_wait_s=0.5, knock_s=0.2, first_poll_s=0.1, longest_poll_s=0.2)


class Server:
    """A model-server in a process of its own, which can be killed and comes back on its port with its counts."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._options = ("--state", str(folder / "standin.state"), *options)
        self._port = "0"
        self.kills = 0
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [COMMAND, "dev", "model-server", "--port", self._port, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def restart(self) -> None:
        self.kill()
        self.kills += 1
        self._start()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    server = Server(folder, *options)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_distinct(tmp_path / "chats.jsonl", users=USERS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other quickly."""
    monkeypatch.setattr("sfumato.adapters.anthropic.Tempo", QUICK)


def batches(opened: Gateway) -> list[Extracts]:
    key = opened._ports.epoch_keys.open("chats", opened._part, "derived")
    return list(DerivedStore(opened._derived, key).batches())


def is_whole(opened: Gateway, data: Path, *, records: int = USERS) -> list[Extracts]:
    """Each conversation extracted once, the raw text and all journals gone, the receipt right."""
    found = batches(opened)
    ids = Counter(one for batch in found for one in batch.conversation_ids)
    assert (len(ids), ids.total()) == (records, records)
    assert all(phrases for batch in found for phrases in batch.phrases)
    assert not list(data.rglob("*.seg"))
    assert not list(opened._derived.glob("????????????????????????????????.*.jnl"))
    with pytest.raises(KeyMissing):
        opened._ports.epoch_keys.open("chats", opened._part, "raw")
    (receipt,) = Layout(data=data).receipts.glob("*.json")
    assert json.loads(receipt.read_text())["totals"]["records"] == records
    return found


@pytest.mark.usefixtures("quick")
def test_a_failing_server_killed_twice_loses_no_conversation_and_no_answer(
    tmp_path: Path, data: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SegmentWriter.__init__.__kwdefaults__, "block_records", 70)
    loaded = modelled_policy(ASKED)
    answers = 0
    with serving(tmp_path, "--fail", "0.3") as server:

        def paid(_dollars: object) -> None:
            nonlocal answers
            answers += 1
            if answers in {40, 100}:
                server.restart()

        with gateway(data, policy=loaded, models=asking(loaded, server.url)) as opened:
            opened.ingest(str(corpus), advance=quiet)
            opened.extract(advance=quiet, paid=paid)
            found = is_whole(opened, data)
        counted = stats(server.url)
    known = np.concatenate([batch.facets["tone"] for batch in found]) < 5
    assert (answers, server.kills) == (USERS, 2)
    assert counted["failures"]
    assert USERS / 2 < known.sum() < USERS
    assert counted["answered"] > 0.8 * USERS
    # The server notes an answer and then sends it, one at a time: what a kill between the two takes is asked again.
    assert counted["prompts_answered_twice"] <= server.kills


def extracting(data: Path, loaded: Policy, url: str) -> None:
    with gateway(data, policy=loaded, models=asking(loaded, url)) as opened:
        opened.extract(advance=quiet)


def killed_once(enough: str, at_least: int, data: Path, loaded: Policy, url: str) -> None:
    """Extract in a process that is killed once the server has counted so much."""
    victim = APART.Process(target=extracting, args=(data, loaded, url))
    victim.start()
    give_up = time.monotonic() + 60
    while _much(stats(url), enough) < at_least:
        assert victim.is_alive()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    while stats(url)["in_flight"]:
        time.sleep(0.02)


def _much(counted: dict, what: str) -> int:
    return len(counted[what]) if what == "batches" else counted[what]


def remembered(opened: Gateway) -> int:
    """Answers that are written down."""
    key = opened._ports.epoch_keys.open("chats", opened._part, "derived")
    (segment,) = opened._raw.segments()
    with Journal(opened._derived, segment.stem, key) as journal:
        return len(list(journal.values()))


def test_a_gateway_killed_again_and_again_asks_nothing_again_that_it_wrote_down(data: Path, corpus: Path) -> None:
    loaded = modelled_policy()
    with running(latency=0.05) as url:
        opened = gateway(data, policy=loaded, models=asking(loaded, url))
        with opened:
            opened.ingest(str(corpus), advance=quiet)
        answered = written = 0
        for share in (40, 100):
            killed_once("answered", share, data, loaded, url)
            before, answered, written = written, stats(url)["answered"], remembered(opened)
            assert written > before
        lost = answered - written
        with opened:
            opened.extract(advance=quiet)
            is_whole(opened, data)
        assert 0 <= lost <= 2 * IN_FLIGHT
        assert stats(url)["answered"] == USERS + lost


@pytest.mark.usefixtures("quick")
def test_a_gateway_killed_while_its_batches_wait_finds_them_again_and_pays_once(data: Path, corpus: Path) -> None:
    loaded = modelled_policy(BATCHES)
    with running(batch_seconds=3) as url:
        opened = gateway(data, policy=loaded, models=asking(loaded, url))
        with opened:
            opened.ingest(str(corpus), advance=quiet)
        killed_once("batches", 1, data, loaded, url)
        with opened:
            opened.extract(advance=quiet)
            is_whole(opened, data)
        counted = stats(url)
    assert (counted["answered"], counted["prompts_answered_twice"], len(counted["batches"])) == (USERS, 0, 1)


@pytest.mark.usefixtures("quick")
def test_ctrl_c_does_not_wait_for_a_batch_and_the_next_run_takes_it(data: Path, corpus: Path) -> None:
    loaded = modelled_policy(BATCHES)
    with running(batch_seconds=10) as url:
        opened = gateway(data, policy=loaded, models=asking(loaded, url))
        with opened:
            opened.ingest(str(corpus), advance=quiet)
            victim = APART.Process(target=interrupted, args=(data, loaded, url))
        victim.start()
        while not stats(url)["batches"]:
            time.sleep(0.05)
        os.kill(victim.pid or 0, signal.SIGINT)
        victim.join(60)
        assert victim.exitcode == 130
        assert [one["status"] for one in stats(url)["batches"].values()] == ["in_progress"]
        with opened:
            opened.extract(advance=quiet)
            is_whole(opened, data)
        assert stats(url)["answered"] == USERS


def interrupted(data: Path, loaded: Policy, url: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests in the background has it ignored
    try:
        extracting(data, loaded, url)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
