"""A deployment of real processes that are killed at random while it is asked: server, worker and database."""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from live_queries import DATASET, EPOCH, TEXT, extracts, policy, publish, random_questions, terms_of
from sfumato.errors import StorageError
from sfumato.gate import rubric
from sfumato.model.question import Ask, encode_ask
from sfumato.planning import Resources
from sfumato.policy import files
from sfumato.privacy.ledger import Ledger
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.release_table import ReleaseTable
from sfumato.vault.keys import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL

    import postgres

CHANGES = (("_query: 0.2", "_query: 0.01"), ("{epsilon: 1.0}", "{epsilon: 3.9}"))
ASKERS = 3
START = 300.0  # seconds that all of it may take to answer again, on a machine with other work
PATIENCE = 30.0  # seconds that a caller waits for an answer


class Program:
    """A command that is started again whenever it is found dead."""

    def __init__(self, words: list[str], log: Path) -> None:
        self._words = [sys.executable, "-m", "sfumato", *words]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return 0 if self._process is None else self._process.pid

    def tend(self) -> None:
        """Start it, unless it runs."""
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(self._words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            self.starts += 1

    def kill(self) -> None:
        """As the kernel does it: no word of farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@dataclass
class Heard:
    """What callers were told: each answer by its digest, and how often nothing came or a refusal."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0
    unlike: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, body: bytes) -> None:
        """Keep an answer; the same question must be told the same for ever."""
        with self.guard:
            if status != 200:
                self.refused += 1
                return
            for one in json.loads(body)["answers"]:
                if one["outcome"] == "answered" and self.answers.setdefault(one["digest"], one) != one:
                    self.unlike.append(one["digest"])


class World:
    """The deployment. Ledger, keys, releases and audit log are in a PostgreSQL database, or in files."""

    def __init__(self, folder: Path, database: postgres.Server | None) -> None:
        self._database = database
        self.admin = None if database is None else database.database()
        self.data = folder / "data"
        here, key = folder / "policy.yaml", folder / "root.key"
        here.write_text(policy_text())
        loaded = policy(*CHANGES)
        named = Resources(
            taxonomies=files.taxonomies(str(here), loaded),
            rubric=rubric.load(loaded.auditor.rubric, folder=files.rubric_folder(str(here))),
        )
        self._terms = terms_of(loaded, files=named)
        made = publish(self.data, loaded, extracts(200, 2), paid=database is None, files=named)
        if self.admin is not None:
            self._on_server(made.id)
        key.write_bytes(PREFIX + base64.b64encode(b"q" * 32) + b"\n")  # the root key of `live_queries`
        key.chmod(0o600)
        with closing(ApiKeys.open(self.data, url=self.as_user("keeper"))) as keys:
            self.tokens = [keys.issue("analyst") for _ in range(ASKERS)]
        self.port = _free_port()
        common = [str(here), "--data", str(self.data), *self._where()]
        self.worker = Program(["worker", *common, "--key-file", str(key)], folder / "worker.log")
        self.server = Program(["serve", *common, "--port", str(self.port)], folder / "serve.log")
        self.heard = Heard()
        self._over = threading.Event()
        self._start_takes = 0.0

    def as_user(self, name: str) -> URL | None:
        """The database as one of its users sees it."""
        return None if self.admin is None else self.admin.set(username=name)

    @property
    def ledger(self) -> Path | URL:
        """Where the ledger is, for the gateway's user."""
        return self.as_user("gate") or self.data / "ledger.db"

    def _on_server(self, release: str) -> None:
        here = self._terms
        with closing(Ledger(self.ledger)) as ledger:
            charge = here.plan.charge(created="2026-11-21T00:00:00Z")
            ledger.released(ledger.reserve(charge, here.plan.caps), "{}")
        with closing(ReleaseTable(self.as_user("gate"))) as table:
            table.add(release, (self.data / "releases" / f"{release}.json").read_bytes())

    def _where(self) -> list[str]:
        url = self.as_user("desk")
        return [] if url is None else ["--database", url.render_as_string(hide_password=False)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of it, asked all the time."""
        with ExitStack() as stack:
            for program in (self.worker, self.server):
                program.tend()
                stack.callback(program.kill)
            threads = [threading.Thread(target=self._asks, args=(number,), daemon=True) for number in range(ASKERS)]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self._over.set()
                for thread in threads:
                    thread.join(2 * PATIENCE)

    def torment(self, seconds: float, drawn: random.Random) -> list[str]:
        """Kill something every other moment, by what a start takes here; what was killed, in order."""
        victims, end = [], time.monotonic() + seconds
        while time.monotonic() < end:  # some die as they start, some as they answer
            pause = min(drawn.uniform(0.1, 1.5) * self._start_takes, 60.0)
            time.sleep(max(0.1, min(pause, end - time.monotonic())))
            victims.append(drawn.choice(["server", "worker", "database"] if self._database else ["server", "worker"]))
            if victims[-1] == "database":
                self._database.kill()
            else:
                getattr(self, victims[-1]).kill()
            for program in (self.worker, self.server):
                program.tend()
        return victims

    def recovered(self, seconds: float) -> bool:
        """Whether a new question is answered again within this time."""
        began, before = time.monotonic(), len(self.heard.answers)
        while time.monotonic() < began + seconds:
            for program in (self.worker, self.server):
                program.tend()
            if len(self.heard.answers) > before:
                self._start_takes = self._start_takes or time.monotonic() - began
                return True
            time.sleep(0.2)
        return False

    def entries(self) -> list[Any]:
        """What the ledger holds; nothing while it can't be read."""
        with suppress(StorageError), closing(Ledger(self.ledger)) as ledger:
            return ledger.entries()
        return []

    def _asks(self, number: int) -> None:
        """One caller: its own questions and everybody's, again and again."""
        own = itertools.cycle(random_questions(4000, seed=number))
        common = itertools.cycle(random_questions(5, seed=99))
        sent = {"Authorization": f"Bearer {self.tokens[number]}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=sent, timeout=PATIENCE) as line:
            for question in itertools.chain.from_iterable(zip(own, common, strict=False)):
                if self._over.is_set():
                    return
                asked = encode_ask(Ask(dataset=DATASET, epochs=(EPOCH,), question=question))
                try:
                    said = line.post("/v1/queries", json=asked)
                    line.get("/v1/releases")
                except httpx2.RequestError:
                    time.sleep(0.1)
                    continue
                self.heard.note(said.status_code, said.content)
                if said.status_code != 200:
                    time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def policy_text() -> str:
    """The policy of these processes, as a file holds it."""
    text = TEXT
    for old, new in CHANGES:
        text = text.replace(old, new)
    return text


def seconds() -> float:
    """How long to torment: SFUMATO_CHAOS_SECONDS, or a few."""
    return float(os.environ.get("SFUMATO_CHAOS_SECONDS", "6"))
