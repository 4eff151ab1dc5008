"""Ingest: short conversations read, pseudonymised and sealed a second."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from sfumato.evaluate.synth import synthesize
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.record import FieldMapping
from sfumato.ingest.report import IngestReport
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.segments import SegmentWriter

INGESTED = 40_000


def rate() -> int:
    """Short conversations read, pseudonymised and sealed a second, the disk included."""
    text = "".join(
        json.dumps({"conversation_id": f"c{i}", "user_id": f"u{i % 9000}", "text": record["messages"][0]["content"]})
        + "\n"
        for i, record in enumerate(synthesize(conversations=INGESTED, users=9000, seed=1))
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "chats.jsonl"
        source.write_text(text)
        key = EpochKeys(Path(folder) / "keys", RootKey(os.urandom(32))).create("bench", "2026-01", "raw")
        hidden = Pseudonyms(os.urandom(32), dataset="bench")
        started = time.perf_counter()
        conversations = read(
            source, mapping=FieldMapping(), unit="user", limits=Limits(), pseudonyms=hidden, report=IngestReport()
        )
        with SegmentWriter(Path(folder) / "raw", key) as writer:
            for conversation in conversations:
                writer.add(conversation)
        return round(INGESTED / (time.perf_counter() - started))
