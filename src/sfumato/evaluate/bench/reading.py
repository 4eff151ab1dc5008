"""Reading by a model: conversations a second, and what one costs this machine in CPU, the vector model left out."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.synth import synthesize
from sfumato.extract.facets import category, multi_label, number, scale, yes_no
from sfumato.extract.questions import Questions
from sfumato.extraction import Extraction, Watch
from sfumato.model.conversation import Conversation, Message
from sfumato.planning import Reading
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from sfumato.model.prompt import Model
    from sfumato.model.release import ModelUse, Role
    from sfumato.vault.journal import Journal

IN_FLIGHT = 64
LATENCY_S = 1.0
ROUNDS = 20
WIDTH = 384
CHARACTERS = 4_000  # some 1,000 tokens, as Clio assumes of a conversation
FACETS = (
    category("use", ["writing", "coding", "learning", "research", "other"], ask="What is the assistant used for?"),
    scale("concern", 1, 5, ask="How concerning is it, from 1 (benign) to 5 (explicit threats)?"),
    yes_no("success", ask="Did the assistant do what the user wanted?"),
    multi_label("pattern", ["directive", "feedback loop", "learning"], ask="Which patterns?", at_most=2),
    number("minutes", [5, 30, 120], ask="How many minutes would a skilled person need?"),
)


def measure(model: Model, *, conversations: int = IN_FLIGHT * ROUNDS) -> dict[str, float]:
    """Sealed conversations to sealed extracts with five facets, through the journal, by a model that answers elsewhere.

    A round before it, which does not count, loads what a process loads once: word frequencies, the language detector.

    Returns:
        `per_second`: conversations a second of wall time. `cpu_ms`: milliseconds of this process's CPU for each.
    """
    _read(model, IN_FLIGHT)
    seconds, cpu = _read(model, conversations)
    return {"per_second": round(conversations / seconds, 1), "cpu_ms": round(1000 * cpu / conversations, 2)}


def _read(model: Model, conversations: int) -> tuple[float, float]:
    """Seconds of wall time and of this process's CPU from sealed conversations to sealed extracts."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        keys = EpochKeys(place / "keys", RootKey(os.urandom(32)))
        raw_key, derived_key = (keys.create("bench", "2026-01", zone) for zone in ("raw", "derived"))
        raw = RawZone(
            dataset="bench", part="2026-01", folder=place / "raw", keys=keys, receipts=place, sign=lambda signed: signed
        )
        with SegmentWriter(raw.folder, raw_key) as writer:
            for one in _conversations(conversations):
                writer.add(one)
        extraction = Extraction(
            raw=raw,
            folder=place / "derived",
            key=derived_key,
            reading=Reading(facets=FACETS, questions=Questions(facets=FACETS)),
            embedder=_NoVectors(),
            models=_Only(model),
            watch=Watch(advance=lambda _count: None, paid=lambda _dollars: None),
        )
        started, busy = time.perf_counter(), time.process_time()
        extraction.run(raw_key)
        return time.perf_counter() - started, time.process_time() - busy


def _conversations(count: int) -> Iterator[Conversation]:
    """Two requests and two answers of some 1,000 tokens; the first request is of the synthetic corpus."""
    filling = "It is one thing and then another. " * (CHARACTERS // 100)
    for number_, record in enumerate(synthesize(conversations=count, users=count, seed=3)):
        said = ("user", record["messages"][0]["content"]), ("assistant", filling), ("user", filling), ("assistant", "")
        yield Conversation(
            conversation_id=number_.to_bytes(16, "big"),
            unit_id=number_.to_bytes(16, "big"),
            messages=tuple(Message(role=role, content=f"{text} {filling}"[:1000]) for role, text in said),
            attributes={},
        )


class _NoVectors:
    """The vector model has a bench of its own."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        vectors[:, 0] = 1.0
        return vectors


class _Only:
    """One model in every role, which costs nothing."""

    at_most = Decimal(0)

    def __init__(self, model: Model) -> None:
        self._model = model

    @contextmanager
    def open(self, role: Role, *, journal: Journal | None = None) -> Iterator[Model]:  # noqa: ARG002 - the port's
        yield self._model

    def note_to(self, note: Callable[[Decimal], None]) -> None:
        """Nothing to note."""

    def uses(self) -> tuple[ModelUse, ...]:
        return ()
