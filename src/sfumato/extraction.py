"""One epoch's extraction: each sealed segment is read once, by words or by a model, and deleted."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol, Self

from sfumato.asking import Remembering
from sfumato.extract import extractive, modelled
from sfumato.model.private import Private
from sfumato.vault.derived import DerivedStore
from sfumato.vault.journal import Journal
from sfumato.vault.segments import read_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sfumato.embed.sentences import Embedder
    from sfumato.extract.questions import Questions
    from sfumato.model.conversation import Conversation
    from sfumato.model.extract import Extracts
    from sfumato.model.prompt import Model, Reply
    from sfumato.model.release import ModelUse, Role
    from sfumato.planning import Reading
    from sfumato.vault.keystore import EpochKey
    from sfumato.vault.rawzone import RawZone

BATCH = 4096  # conversations in memory at once
SEGMENTS_IN_BATCH_MODE = 16  # waiting for a provider's batches, each a segment of a few megabytes
PHRASES_OF_A_CONVERSATION = 12
SPENT_JOURNAL = "spent"
SPENT = hashlib.sha256(b"what the models of this epoch may have cost").digest()


class Models(Protocol):
    """The language models that a policy names, all on one meter."""

    def open(self, role: Role, *, journal: Journal | None = None) -> AbstractContextManager[Model]:
        """The model of a role; `journal` is where it notes what a provider works on for it."""
        ...

    @property
    def at_most(self) -> Decimal:
        """US dollars that may have been spent so far, earlier runs of the epoch included."""
        ...

    def uses(self) -> tuple[ModelUse, ...]:
        """What a release says of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told of conversations done, and of what the epoch's models have cost so far in US dollars."""

    advance: Callable[[int], None]
    paid: Callable[[Decimal], None]


class Extraction(Private):
    """What extraction of one epoch works with. Use as a context manager; `run` once.

    The answers of a model are written down as they come, per segment, under the key of the derived zone; what the
    epoch's models may have cost is written down with each of them.
    """

    __slots__ = ("_embedder", "_folder", "_key", "_models", "_raw", "_reading", "_spent", "_turn", "_watch")

    def __init__(
        self,
        *,
        raw: RawZone,
        folder: Path,
        key: EpochKey,
        reading: Reading,
        embedder: Embedder,
        models: Callable[[Decimal], Models],
        watch: Watch,
    ) -> None:
        self._raw = raw
        self._folder = folder
        self._key = key
        self._reading = reading
        self._embedder = embedder
        self._spent = Journal(folder, SPENT_JOURNAL, key)
        self._models = models(_noted(self._spent))
        self._watch = watch
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spent.__exit__()

    def run(self, raw_key: EpochKey) -> None:
        """Extract every segment that waits.

        Raises:
            VaultError: a segment was altered. ModelUnavailable: nobody answers. Refused: the spend cap is reached.
                In all of them what was done stays done, and the next run goes on from there.
        """
        paths = self._raw.segments()
        if not self._reading.batches:
            for path in paths:
                self._segment(path, raw_key)
            return
        with ThreadPoolExecutor(SEGMENTS_IN_BATCH_MODE, thread_name_prefix="segment") as pool:
            waiting = [pool.submit(self._segment, path, raw_key) for path in paths]
            try:
                for done in as_completed(waiting):
                    done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _segment(self, path: Path, raw_key: EpochKey) -> None:
        """Store the segment's extracts, delete its ciphertext, and only then what was paid for."""
        with self._reader(path.stem) as read:
            DerivedStore(self._folder, self._key).write(path.stem, map(read, _batches(path, raw_key)))
            with self._turn:
                self._raw.retire(path, raw_key)

    @contextmanager
    def _reader(self, segment: str) -> Iterator[Callable[[Sequence[Conversation]], Extracts]]:
        questions = self._reading.questions
        if questions is None:
            yield self._by_words
            return
        with (
            Journal(self._folder, segment, self._key) as journal,
            self._models.open("extraction", journal=journal) as model,
        ):
            remembering = Remembering(model, journal, heard=self._heard)
            yield partial(self._by_model, questions, remembering)
            journal.wipe()

    def _by_words(self, batch: Sequence[Conversation]) -> Extracts:
        found = extractive.extract(
            batch, facets=self._reading.facets, embed=self._embedder, phrases_limit=PHRASES_OF_A_CONVERSATION
        )
        self._watch.advance(len(batch))
        return found

    def _by_model(self, questions: Questions, model: Remembering, batch: Sequence[Conversation]) -> Extracts:
        found = modelled.extract(
            batch,
            questions=questions,
            embed=self._embedder,
            ask=model.ask,
            phrases_limit=PHRASES_OF_A_CONVERSATION,
            keep_summaries=self._reading.keep_summaries,
        )
        self._watch.advance(len(batch))
        return found

    def _heard(self, _: Reply) -> None:
        """A new answer: note what the epoch has cost before anything else is asked."""
        with self._turn:
            spent = self._models.at_most
            self._spent.put(SPENT, str(spent).encode())
            self._watch.paid(spent)


def spent_before(folder: Path, key: EpochKey) -> Decimal:
    """US dollars that the models of this epoch may have cost so far."""
    return _noted(Journal(folder, SPENT_JOURNAL, key))


def _noted(journal: Journal) -> Decimal:
    before = journal.get(SPENT)
    return Decimal(before.decode()) if before else Decimal(0)


def _batches(path: Path, key: EpochKey) -> Iterator[list[Conversation]]:
    conversations = read_segment(path, key)
    while batch := list(islice(conversations, BATCH)):
        yield batch
