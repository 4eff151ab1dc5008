"""Ingest: short conversations read, pseudonymised and sealed a second, and the memory that so many of them take."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from sfumato.evaluate.synth import synthesize
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.record import FieldMapping
from sfumato.ingest.report import IngestReport
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.segments import SegmentWriter

TEXTS = 9000


def measure(*, records: int) -> dict[str, Any]:
    """Made-up short conversations through ingest, in a process of its own, the disk included.

    `per_cpu_second` is the rate on one core that does nothing else; `peak_mb` is of the whole process.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "chats.jsonl", records)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, cpu_seconds, peak_mb = pool.apply(_sealed, (Path(folder), records))
    return {
        "records": records,
        "per_second": round(records / seconds),
        "per_cpu_second": round(records / cpu_seconds),
        "peak_mb": peak_mb,
    }


def _write(path: Path, records: int) -> None:
    texts = [record["messages"][0]["content"] for record in synthesize(conversations=TEXTS, users=TEXTS, seed=1)]
    with path.open("w") as file:
        for i in range(records):
            line = {"conversation_id": f"c{i}", "user_id": f"u{i % TEXTS}", "text": texts[i % TEXTS]}
            file.write(json.dumps(line) + "\n")


def _sealed(folder: Path, records: int) -> tuple[float, float, int]:
    """Seconds, seconds of CPU and peak memory in MB."""
    key = EpochKeys(folder / "keys", RootKey(os.urandom(32))).create("bench", "2026-01", "raw")
    report = IngestReport()
    started, began = time.perf_counter(), time.process_time()
    conversations = read(
        folder / "chats.jsonl",
        mapping=FieldMapping(),
        unit="user",
        limits=Limits(),
        pseudonyms=Pseudonyms(os.urandom(32), dataset="bench"),
        report=report,
    )
    with SegmentWriter(folder / "raw", key) as writer:
        for conversation in conversations:
            writer.add(conversation)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - began
    if report.accepted != records or sum(segment.records for segment in writer.written) != records:
        raise RuntimeError("not every conversation was sealed: the rate means nothing")
    return seconds, cpu_seconds, _peak_mb()


def _peak_mb() -> int:
    """Of this process alone; `ru_maxrss` may still count the one that started it (Linux keeps it over exec)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)
