"""Live questions: what an answer over a million conversations takes beyond the beat that every answer waits for."""

from __future__ import annotations

import socket
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.audit.log import AuditLog
from sfumato.live.columns import Columns
from sfumato.live.desk import Desk, Ports
from sfumato.live.frame import Frame
from sfumato.live.schedule import BEAT_SECONDS
from sfumato.live.terms import terms
from sfumato.live.worker import Worker
from sfumato.model import question as questions
from sfumato.model.strict_json import dumps
from sfumato.planning import facets_of
from sfumato.policy.load import parse
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.topics.assignment import Assignment

if TYPE_CHECKING:
    from sfumato.live.terms import Terms
    from sfumato.model.strict_json import Json

ROWS = 1_000_000
A_USERS = 4  # conversations
LEAVES, ABOVE = 200, 20
ASKED = 15
DATASET, EPOCH = "bench", "2026-01"
POLICY = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: bench}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 8.0, delta: 1.0e-6, release: 0.5, queries: 0.5}
  yearly: {epsilon: 16.0, delta: 1.0e-5}
extraction: {provider: anthropic, model: none}
facets:
  - {name: language, kind: category, domain: iso639}
  - {name: plan, kind: category, domain: [free, pro, team]}
  - {name: mood, kind: scale, range: [1, 5], ask: "How content is the user?"}
retention: {derived: keep_until_ttl, derived_ttl: 45d}
queries:
  live: true
  measures: [users, conversations, mean]
  group_by: [topic, language, plan, mood]
  epsilon_per_query: 0.1
  per_analyst: {epsilon: 7.0}
  most_per_minute: 6000
access: {analyst: [releases, queries]}
"""


class _Held:
    """In the place of the shelf: columns made up in memory, as it holds them once they are read."""

    def __init__(self, frame: Frame, columns: Columns) -> None:
        self._frame, self._columns = frame, columns

    def frame(self, _terms: Terms, _release: str | None) -> Frame:
        return self._frame

    def columns(self, _terms: Terms, _places: Assignment | None) -> Columns:
        return self._columns


def measure() -> dict[str, float | int]:
    """Median milliseconds over different questions, each of them read, charged, measured, logged and answered.

    beyond_ms: between a question's last byte and its answer's, less the beat. worked_ms: until it was ready; cpu_ms:
    of that what this process worked itself, whatever else the machine was doing.
    """
    loaded = parse(POLICY)
    here = terms(loaded, dataset=DATASET, epoch=EPOCH)
    frame = _frame(loaded)
    spent: list[tuple[float, float]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ledger = stack.enter_context(closing(Ledger(folder / "ledger.db")))
        log = stack.enter_context(closing(AuditLog.open(folder / "audit")))
        ports = Ports(
            ledger=ledger, noise=lambda: OpenDPNoise(workers=1), now=lambda: datetime.now(UTC), log=log.append
        )
        shelf: Any = _Held(frame, _columns())
        desk = stack.enter_context(Desk(loaded, terms=lambda _dataset, _epoch: here, shelf=shelf, ports=ports))
        worker = Worker(_Timed(desk, spent), folder / "worker.sock")  # type: ignore[arg-type]
        ready = threading.Event()
        thread = threading.Thread(target=worker.serve, args=(lambda _path: ready.set(),))
        thread.start()
        ready.wait()
        try:
            waited = [_ask(folder / "worker.sock", one) for one in _questions()]
        finally:
            worker.stop()
            thread.join()
    return {
        "rows": ROWS,
        "beyond_ms": round(1000 * (statistics.median(waited[1:]) - BEAT_SECONDS), 1),  # the first starts the noise
        "worked_ms": round(1000 * statistics.median(wall for wall, _ in spent[1:]), 1),
        "cpu_ms": round(1000 * statistics.median(cpu for _, cpu in spent[1:]), 1),
    }


class _Timed:
    """A desk that notes how long each reply took."""

    def __init__(self, desk: Desk, spent: list[tuple[float, float]]) -> None:
        self._desk, self._spent = desk, spent

    def reply(self, *asked: Any, **by: Any) -> Any:  # noqa: ANN401 - handed on as it is
        began, worked = time.perf_counter(), time.process_time()
        try:
            return self._desk.reply(*asked, **by)
        finally:
            self._spent.append((time.perf_counter() - began, time.process_time() - worked))


def _frame(loaded: Any) -> Frame:  # noqa: ANN401 - a policy
    paths = tuple((f"leaf-{leaf:03d}", f"top-{leaf * ABOVE // LEAVES:03d}") for leaf in range(LEAVES))
    tops = {above: 1 for _, above in paths}
    placed = Assignment(
        release="rel_" + "0" * 20, extraction="bench", paths=paths, at_most=1,
        vectors=np.eye(LEAVES, dtype=np.float32), floor=None,
    )  # fmt: skip
    levels = tops | {leaf: 0 for leaf, _ in paths}
    return Frame(facets={one.name: one for one in facets_of(loaded)}, reach=3, levels=levels, assignment=placed)


def _columns() -> Columns:
    draw = np.random.default_rng(5)
    counts = {"language": 180, "plan": 4, "mood": 6}
    facets = {name: draw.integers(0, count, ROWS).astype(np.int16) for name, count in counts.items()}
    unit_of = np.repeat(np.arange(ROWS // A_USERS, dtype=np.int32), A_USERS)
    return Columns(unit_of=unit_of, facets=facets, places=draw.integers(0, LEAVES, ROWS).astype(np.int16))


def _questions() -> list[Json]:
    """Of every kind, none asked twice."""
    found: list[Json] = []
    for number in range(ASKED):
        measure = ("users", "conversations", "mean")[number % 3]
        by: list[Json] = [["topic"], ["topic", "plan"], ["language"], []][number % 4]  # type: ignore[assignment]
        where: list[Json] = [{"field": "topic", "in": [f"leaf-{leaf:03d}" for leaf in range(number + 1)]}]
        asked: dict[str, Json] = {
            "dataset": DATASET, "epochs": [EPOCH], "measure": measure, "by": by, "where": where,
            "of": "mood" if measure == "mean" else None,
        }  # fmt: skip
        found.append(questions.encode_ask(questions.parse(asked)))
    return found


def _ask(path: Path, asked: Json) -> float:
    """Seconds until the answer was there."""
    line = dumps({"analyst": "a" * 16, "ask": asked, "role": "analyst"}) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.connect(str(path))
        began = time.perf_counter()
        door.sendall(line)
        said = bytearray()
        while piece := door.recv(2**16):
            said += piece
        seconds = time.perf_counter() - began
    if not said.endswith(b'"outcome":"answer"}\n'):
        raise RuntimeError("a question of the bench was not answered")
    return seconds
