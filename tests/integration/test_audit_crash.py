"""The audit log among processes: killed while it writes, its tail torn, and written by several at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

from audits import KEY, TIME, event, report_on
from processes import APART
from sfumato.audit.anchor import pin
from sfumato.audit.log import AuditLog
from sfumato.audit.replay import Tampered

LOOP = """
import sys
from pathlib import Path
from audits import KEY, TIME, event
from sfumato.audit.log import AuditLog
log = AuditLog.open(Path(sys.argv[1]))
for number in range(10**6):
    seqs = log.append_many([event(number)] * 3) if number % 5 == 0 else [log.append(event(number))]
    sys.stdout.write("".join(f"{seq} {number}\\n" for seq in seqs))
    sys.stdout.flush()
    if number % 7 == 6:
        log.checkpoint(log.signer(KEY), time=TIME)
"""


def killed_while_appending(directory: Path, acknowledged: Path, *, after: int) -> None:
    """Append in a process of its own, which says what it was told is on disk, and kill -9 it after so many bytes."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with acknowledged.open("ab") as said:
        before = said.tell()
        victim = subprocess.Popen([sys.executable, "-c", LOOP, directory], stdout=said, env=environment)
        deadline = time.monotonic() + 60
        while acknowledged.stat().st_size < before + after and time.monotonic() < deadline:
            time.sleep(0.001)
        victim.send_signal(signal.SIGKILL)
        assert victim.wait(60) == -signal.SIGKILL


def said_to_be_written(acknowledged: Path) -> dict[int, int]:
    lines = acknowledged.read_text().splitlines(keepends=True)
    return dict(tuple(map(int, line.split())) for line in lines if line.endswith("\n"))


def test_kill_9_at_any_moment_leaves_a_good_log_with_every_acknowledged_entry(tmp_path: Path) -> None:
    directory, acknowledged = tmp_path / "audit", tmp_path / "acknowledged"
    moments = random.Random(7)
    for _ in range(6):
        killed_while_appending(directory, acknowledged, after=moments.randrange(1, 1000))
        report = report_on(directory)
        assert report.good, report.problem
        with closing(AuditLog.read_only(directory)) as log:
            written = {seq: one.charge.rho for seq, one in log.events()}
        said = said_to_be_written(acknowledged)
        assert said
        assert said.items() <= written.items()
    assert report.checkpoints > 1


def test_a_torn_tail_that_was_never_acknowledged_is_dropped_and_all_else_is_there(tmp_path: Path) -> None:
    directory, acknowledged = tmp_path / "audit", tmp_path / "acknowledged"
    killed_while_appending(directory, acknowledged, after=200)
    tail = directory / "log.db-wal"
    with tail.open("r+b") as wal:  # a frame whose writing the crash cut short
        wal.seek(0, os.SEEK_END)
        wal.write(random.Random(7).randbytes(2000))
    with closing(AuditLog.open(directory)) as log:
        size, _ = log.head()
        assert set(said_to_be_written(acknowledged)) <= set(range(size))
        assert log.append(event()) == size
    assert report_on(directory).good


def interrupted(directory: Path, pinned: Path) -> None:
    log = AuditLog.open(directory)
    for number in range(20):
        log.append(event(number))
    log.checkpoint(log.signer(KEY), time=TIME, anchors=[pin(pinned)])
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_tail_that_was_acknowledged_and_is_gone_is_not_repaired_but_refused(tmp_path: Path) -> None:
    directory, pinned = tmp_path / "audit", tmp_path / "pinned"
    victim = APART.Process(target=interrupted, args=(directory, pinned))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    tail = directory / "log.db-wal"
    os.truncate(tail, tail.stat().st_size * 2 // 3)
    with pytest.raises(Tampered, match="a signed checkpoint counts 20 entries"):
        AuditLog.open(directory, pinned=pinned)


def work(directory: Path, me: int, results: object) -> None:
    with closing(AuditLog.open(directory)) as log:
        results.put((me, [log.append(event(me)) for _ in range(25)]))  # type: ignore[attr-defined]
        if me % 2:
            log.checkpoint(log.signer(KEY), time=TIME)


def test_four_processes_appending_and_signing_at_once_make_one_log(tmp_path: Path) -> None:
    with closing(AuditLog.open(tmp_path)) as log:
        log.checkpoint(log.signer(KEY), time=TIME)
    results = APART.Queue()
    workers = [APART.Process(target=work, args=(tmp_path, me, results)) for me in range(4)]
    for worker in workers:
        worker.start()
    numbers = dict(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join(60)
    assert {worker.exitcode for worker in workers} == {0}
    assert sorted(chain(*numbers.values())) == list(range(100))
    assert all(found == sorted(found) for found in numbers.values())
    report = report_on(tmp_path)
    assert (report.good, report.entries) == (True, 100)
    with closing(AuditLog.read_only(tmp_path)) as log:
        by_number = dict(log.events())
    assert all(by_number[seq].charge.rho == me for me, found in numbers.items() for seq in found)
