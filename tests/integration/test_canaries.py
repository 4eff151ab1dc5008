"""A thousand planted strings through a whole run, live questions and failures in every stage: none is seen anywhere."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest

from canaries import MARK, canary, every_line, files, sightings, write_planted
from gateways import NOW, POLICY
from sfumato import wiring
from sfumato.audit.log import AuditLog
from sfumato.cli import app
from sfumato.embed import sentences
from sfumato.live import measure, opening
from sfumato.live.desk import Ports
from sfumato.live.schedule import Schedule
from sfumato.live.worker import Worker
from sfumato.model.layout import Layout
from sfumato.policy.load import load
from sfumato.privacy import measure as measured
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.serve import routes_audit, routes_queries
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.operated import PolicySource, Surroundings, operated
from sfumato.serve.query import WorkerSocket
from sfumato.serve.reading import Reading
from sfumato.serve.store import ReleaseStore
from sfumato.vault import container, durable
from sfumato.vault.keys import RootKey
from stand_ins import HashedEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARIES = 1_000
LIVE = """\
retention: {derived: keep_until_ttl}
queries: {live: true, group_by: [topic, turns], epsilon_per_query: 0.2, per_analyst: {epsilon: 1.0}}
access: {analyst: [releases, queries], auditor: [audit], admin: [policy]}
"""
ASK = {
    "dataset": "chats", "epochs": ["2026-11"], "measure": "users", "by": ["turns"], "where": [], "level": 0,
    "dry_run": False,
}  # fmt: skip


class LeakyError(RuntimeError):
    """What a library raises that quotes what it was given."""


class Stage:
    """A deployment with planted strings, and all that can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.data, self.temporary, self.home = folder / "data", folder / "tmp", folder / "home"
        self.seen: list[tuple[str, bytes]] = []
        for made in (self.temporary, self.home):
            made.mkdir()
        self.log = write_planted(folder / "chats.jsonl", canaries=CANARIES)
        self.policy = folder / "policy.yaml"
        budget = "{epsilon: 8.0, delta: 1.0e-5, release: 0.75, queries: 0.25}"
        self.policy.write_text(POLICY.replace("{epsilon: 8.0, delta: 1.0e-5}", budget) + LIVE)
        self.key = folder / "root.key"
        RootKey.create(self.key)

    def command(self, *words: str | Path) -> int:
        """A command in this process, so that what it logs is heard too; its exit status."""
        places = ["--data", self.data, "--key-file", self.key, "--dataset", "chats", "--epoch", "2026-11"]
        sys.argv = ["sfumato", *map(str, [*words, *places])]
        try:
            app.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def everything(self) -> list[tuple[str, bytes]]:
        """Files, names of files, and whatever was kept in `seen`."""
        return [*files(self.data, self.temporary, self.home), *self.seen]


@contextmanager
def _stand_in() -> Iterator[HashedEmbedder]:
    yield HashedEmbedder()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    made = Stage(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(tempfile, "tempdir", str(made.temporary))
    monkeypatch.setenv("TMPDIR", str(made.temporary))
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setattr(wiring, "embedder", lambda _policy: _stand_in())
    monkeypatch.setattr("sfumato.model.nodump.seal_memory", lambda: True)  # it is for good, and tried below
    monkeypatch.chdir(made.temporary)
    with every_line() as lines:
        yield made
        out, err = capfd.readouterr()
        made.seen += [("standard output", out.encode()), ("standard error", err.encode())]
        made.seen.append(("log lines", lines.getvalue().encode()))
        assert lines.getvalue()  # something was heard: the silence of the rest is not deafness
    assert sightings(made.everything()) == []


def leak(*given: object, **_named: object) -> None:
    raise LeakyError(f"could not take {canary(7)} of {given!r:.40} {canary(8)}")


def told(stage: Stage) -> list:
    with closing(AuditLog.read_only(Layout(data=stage.data).audit)) as log:
        return [event for _, event in log.events()]


@contextmanager
def serving(stage: Stage, spans: InMemorySpanExporter) -> Iterator[object]:
    """The server as it is run, with a worker for live questions, both in this process."""
    from fastapi.testclient import TestClient

    loaded, layout = load(stage.policy), Layout(data=stage.data)
    root = RootKey.load(stage.key, data=stage.data)
    signer = wiring.custody.signer(root).public_key()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(layout.ledger)))
        log = stack.enter_context(closing(AuditLog.open(layout.audit)))
        ports = Ports(ledger=ledger, noise=lambda: OpenDPNoise(workers=1), now=lambda: NOW, log=log.append)
        desk = stack.enter_context(
            opening.desk(
                loaded, layout, root=root, signer=signer, files=wiring.resources(str(stage.policy), loaded), ports=ports
            )
        )
        worker = Worker(desk, stage.data / "worker.sock", schedule=Schedule(beat=0.01))
        ready = threading.Event()
        thread = threading.Thread(target=worker.serve, args=(lambda _path: ready.set(),))
        thread.start()
        stack.callback(thread.join, 30)
        stack.callback(worker.stop)
        assert ready.wait(30)
        with closing(ApiKeys.open(stage.data)) as keys:
            tokens = {role: keys.issue(role) for role in ("analyst", "auditor", "admin")}
        reading = stack.enter_context(closing(ApiKeys.read_only(stage.data)))
        source = PolicySource(load=lambda: loaded, stamps=lambda: ())

        def build(keeper, view):
            store = ReleaseStore(stage.data)
            extras = [
                routes_audit.router(Reading(store=store, access=keeper), log),
                routes_queries.router(keeper, WorkerSocket(stage.data / "worker.sock")),
            ]
            return build_app(store, keeper, view, extras=extras)

        around = Surroundings(keys=reading, log=lambda: AuditLog.open(layout.audit))
        made = stack.enter_context(operated(source, around, build))
        made._tracer = provider.get_tracer("test")
        client = stack.enter_context(TestClient(made, raise_server_exceptions=False))

        def ask(role: str, method: str, path: str, **more: object) -> int:
            answer = client.request(method, path, headers={"Authorization": f"Bearer {tokens[role]}"}, **more)
            stage.seen.append((f"answer of {path}", answer.content + repr(answer.headers).encode()))
            return answer.status_code

        yield ask
        provider.shutdown()
    stage.seen += [("spans", "".join(span.to_json() for span in spans.get_finished_spans()).encode())]
    stage.seen += [("metrics", generate_latest(REGISTRY))]


def test_none_of_a_thousand_planted_strings_is_seen_in_a_whole_run(stage, monkeypatch):
    spans = InMemorySpanExporter()
    assert stage.command("run", stage.policy, stage.log, "--json") == 0
    release = next(path.stem for path in Layout(data=stage.data).releases.glob("rel_*.json"))
    with serving(stage, spans) as ask:
        assert ask("analyst", "GET", "/v1/releases") == 200
        assert ask("analyst", "GET", f"/v1/releases/{release}") == 200
        assert ask("auditor", "GET", "/v1/audit/events") == 200
        assert ask("analyst", "POST", "/v1/queries", json=ASK) == 200
        assert b'"outcome":"answered"' in stage.seen[-1][1], [one.rule for one in told(stage)][-4:]
        with monkeypatch.context() as broken:
            broken.setattr(measure, "measured", leak)
            assert ask("analyst", "POST", "/v1/queries", json=ASK | {"by": []}) == 503
            broken.setattr(ReleaseStore, "document", leak, raising=False)
            for name in [name for name in vars(ReleaseStore) if not name.startswith("_")]:
                broken.setattr(ReleaseStore, name, leak)
            assert ask("analyst", "GET", f"/v1/releases/{release}/topics") >= 500
    assert len(spans.get_finished_spans()) >= 6
    assert sightings(stage.everything()) == []


FAILURES: dict[str, tuple[list[str], Callable[[pytest.MonkeyPatch], None]]] = {
    "ingest": (["ingest"], lambda patch: patch.setattr(container.Draft, "write", leak)),
    "ingest, the disk": (["ingest"], lambda patch: patch.setattr(durable, "write", leak)),
    "extract": (["ingest", "extract"], lambda patch: patch.setattr(HashedEmbedder, "embed", leak)),
    "discard": (["ingest", "extract"], lambda patch: patch.setattr("sfumato.vault.receipts.write", leak)),
    "release": (["ingest", "extract", "release"], lambda patch: patch.setattr(measured.Measurer, "counts", leak)),
    "forget": (["ingest", "forget"], lambda patch: patch.setattr("sfumato.ingest.forgotten.Forgotten.add", leak)),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_that_quotes_what_it_was_given_is_told_by_its_place_alone(stage, monkeypatch, name):
    """Each stage ends with exit status 1 and one line, and the next tells as little."""
    stages, break_it = FAILURES[name]
    monkeypatch.setattr(sentences, "__name__", sentences.__name__)
    for word in stages:
        if word == stages[-1]:
            break_it(monkeypatch)
        if word == "forget":
            monkeypatch.setattr(sys, "argv", [])
            words = ["sfumato", "forget", canary(2 * 10**5), "--policy", stage.policy, "--data", stage.data]
            sys.argv = [*map(str, words), "--key-file", str(stage.key)]
            with pytest.raises(SystemExit) as ended:
                app.main()
            status = ended.value.code
        else:
            status = stage.command(word, stage.policy, *([stage.log] if word == "ingest" else []))
        assert status == (1 if word == stages[-1] else 0)


def test_the_scan_finds_one_that_is_planted_on_purpose(tmp_path):
    """In a file, a name, a log line, an answer, a database and its journal, and in other writings of the same bytes."""
    import base64
    import sqlite3

    here = tmp_path / "data"
    here.mkdir()
    assert sightings(files(here)) == []
    text = f"said {canary(5)} once"
    for number, form in enumerate(
        [
            text.encode(), text.upper().encode(), text.encode().hex().encode(), text.encode("utf-16-le"),
            *(base64.b64encode((" " * shift + text).encode()) for shift in range(3)),
        ]
    ):  # fmt: skip
        (here / f"file{number}").write_bytes(b"\0" * 50 + form)
        assert sightings(files(here)) == [f"data/file{number}"]
        (here / f"file{number}").unlink()
    (here / canary(3)).touch()
    assert sightings(files(here)) == [f"name of data/{canary(3)}"]
    (here / canary(3)).unlink()
    with closing(sqlite3.connect(here / "some.db")) as db:
        db.execute("pragma journal_mode=wal")
        db.execute("create table t (x text)")
        db.execute("insert into t values (?)", (canary(4),))
        db.commit()
        assert "data/some.db-wal" in sightings(files(here))
    with every_line() as lines:
        try:
            leak()
        except LeakyError:
            logging.getLogger("sfumato.anything").debug("it failed", exc_info=True)
    assert sightings([("lines", lines.getvalue().encode())]) == ["lines"]


DIES = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
sys.path[:0] = {paths!r}
from sfumato import wiring
from sfumato.cli import app
from sfumato.model import nodump

class Dying:
    def embed(self, texts):
        held = list(texts)
        os.abort()

@contextmanager
def dying():
    yield Dying()

wiring.embedder = lambda _policy: dying()
if {sealed}:
    pass
else:
    nodump.seal_memory = lambda: True
sys.argv = ["sfumato", "run", {policy!r}, {log!r}, "--data", {data!r}, "--key-file", {key!r}]
app.main()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cores are asked for as on Linux")
def test_a_process_that_is_made_to_dump_its_memory_leaves_none(tmp_path):
    """It dies by SIGABRT with text in its hands and no limit on cores. Unprotected, the same death leaves the text."""

    def dies(name: str, *, sealed: bool) -> list[Path]:
        stage = Stage(_made(tmp_path / name))
        script = DIES.format(
            paths=[str(Path(__file__).parents[1])], sealed=sealed, policy=str(stage.policy), log=str(stage.log),
            data=str(stage.data), key=str(stage.key),
        )  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=stage.temporary, capture_output=True, check=False, timeout=240,
            preexec_fn=_no_limit, env=os.environ | {"TMPDIR": str(stage.temporary), "HOME": str(stage.home)},
        )  # fmt: skip
        assert ended.returncode == -6, ended.stderr
        spoken = [("standard error", ended.stderr), ("standard output", ended.stdout)]
        assert sightings([*files(stage.data), *spoken]) == []
        return [path for path in stage.temporary.iterdir() if path.is_file()]

    assert dies("sealed", sealed=True) == []
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|") or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return  # the control needs a system that writes cores where a process works
    dumped = dies("open", sealed=False)
    assert [path for path in dumped if MARK.encode() in path.read_bytes()]


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _no_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def test_it_is_json_that_was_planted(tmp_path):
    """The log itself holds every one, so a scan of it is no empty promise."""
    log = write_planted(tmp_path / "chats.jsonl", canaries=CANARIES)
    text = log.read_text()
    assert all(canary(number) in text for number in range(CANARIES))
    assert len([json.loads(line) for line in text.splitlines()]) == CANARIES
