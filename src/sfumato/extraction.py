"""One epoch's extraction: each sealed segment is read once, by words or by a model, and deleted."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from sfumato.asking import Remembering
from sfumato.errors import ModelUnavailable
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
    from sfumato.model.prompt import Model, Prompt, Reply
    from sfumato.model.release import ModelUse, Role
    from sfumato.planning import Reading
    from sfumato.vault.keystore import EpochKey
    from sfumato.vault.rawzone import RawZone

BATCH = 4096  # conversations of one segment in memory at once
SEGMENTS_AT_ONCE = 2  # while a model is asked about one, what it said of the other is put away
LONGEST_FAREWELL_S = 5.0  # for a segment to notice that the run is over
SEGMENTS_IN_BATCH_MODE = 16  # waiting for a provider's batches, each a segment of a few megabytes
PHRASES_OF_A_CONVERSATION = 12
SPENT_JOURNAL = "spent"
READING = hashlib.sha256(b"what reading this epoch may have cost").digest()
WRITING = hashlib.sha256(b"what names and audits of this epoch may have cost").digest()


class Models(Protocol):
    """The language models that a policy names, all on one meter."""

    def open(self, role: Role, *, journal: Journal | None = None) -> AbstractContextManager[Model]:
        """The model of a role; `journal` is where it notes what a provider works on for it."""
        ...

    @property
    def at_most(self) -> Decimal:
        """US dollars that may have been spent so far, earlier runs of the epoch included."""
        ...

    def note_to(self, note: Callable[[Decimal], None]) -> None:
        """From now on `note` is told what all may have cost with a call, and returns before that call is let out.

        A batch is under way for hours and is found again: of batches only what has come is told, when it comes.
        """
        ...

    def uses(self) -> tuple[ModelUse, ...]:
        """What a release says of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told of conversations done, and of what the epoch's models have cost so far in US dollars."""

    advance: Callable[[int], None]
    paid: Callable[[Decimal], None]


@contextmanager
def billed(folder: Path, key: EpochKey, models: Callable[[Decimal], Models], *, work: bytes) -> Iterator[Models]:
    """The models of an epoch, whose bill is kept in this folder under the key of the derived zone.

    work: READING or WRITING, which have a bill of their own.
    """
    with Journal(folder, SPENT_JOURNAL, key) as journal:
        noted = journal.get(work)
        opened = models(Decimal(noted.decode()) if noted else Decimal(0))
        opened.note_to(lambda dollars: journal.put(work, str(dollars).encode()))
        yield opened


class Extraction(Private):
    """What extraction of one epoch works with; `run` once.

    The answers of a model are written down as they come, per segment, under the key of the derived zone. models: those
    of `billed`.
    """

    __slots__ = ("_asking", "_embedder", "_folder", "_key", "_models", "_over", "_raw", "_reading", "_turn", "_watch")

    def __init__(
        self,
        *,
        raw: RawZone,
        folder: Path,
        key: EpochKey,
        reading: Reading,
        embedder: Embedder,
        models: Models,
        watch: Watch,
    ) -> None:
        self._raw = raw
        self._folder = folder
        self._key = key
        self._reading = reading
        self._embedder = embedder
        self._models = models
        self._watch = watch
        self._turn = threading.Lock()
        self._asking = threading.Lock()
        self._over = threading.Event()

    def run(self, raw_key: EpochKey) -> None:
        """Extract every segment that waits.

        Raises:
            VaultError: a segment was altered. ModelUnavailable: nobody answers. Refused: the spend cap is reached.
                In all of them what was done stays done, and the next run goes on from there.
        """
        paths = self._raw.segments()
        if self._reading.questions is None:
            for path in paths:
                self._segment(path, raw_key)
            return
        self._side_by_side(
            paths, raw_key, at_once=SEGMENTS_IN_BATCH_MODE if self._reading.batches else SEGMENTS_AT_ONCE
        )

    def _side_by_side(self, paths: Sequence[Path], raw_key: EpochKey, *, at_once: int) -> None:
        """All segments, some at a time; once one fails, or Ctrl-C, the others are left where they are.

        They may wait for hours for a batch, and the next run finds what they were told; so they do nothing more that
        lasts.
        """
        todo: SimpleQueue[Path] = SimpleQueue()
        for path in paths:
            todo.put(path)
        ended: SimpleQueue[BaseException | None] = SimpleQueue()
        started: list[threading.Thread] = []
        try:
            for number in range(min(at_once, len(paths))):
                work = partial(self._in_line, todo, ended, raw_key)
                started.append(threading.Thread(target=work, name=f"segment-{number}", daemon=True))
                started[-1].start()
            for _ in started:
                if (failure := ended.get()) is not None:
                    raise failure
        finally:
            self._over.set()
            if not self._reading.batches:  # each ends with its next answer; a batch would have to be waited for
                for thread in filter(threading.Thread.is_alive, started):
                    thread.join(LONGEST_FAREWELL_S)

    def _in_line(self, todo: SimpleQueue[Path], ended: SimpleQueue[BaseException | None], raw_key: EpochKey) -> None:
        """One segment after another, until there is none or the run is over."""
        try:
            while True:
                self._segment(todo.get_nowait(), raw_key)
        except (Empty, _Over):  # whoever ended the run says why
            ended.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            ended.put(error)

    def _segment(self, path: Path, raw_key: EpochKey) -> None:
        """Store the segment's extracts, delete its ciphertext, and only then what was paid for."""
        with self._reader(path.stem) as read:
            DerivedStore(self._folder, self._key).write(path.stem, map(read, self._batches(path, raw_key)))
            with self._turn:
                self._go_on()
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
            tally = _Tally(self._watch.advance, answers=1 if questions.screen is None else 2)
            remembering = Remembering(model, journal, heard=partial(self._heard, tally))
            yield partial(self._by_model, questions, remembering, tally)
            journal.wipe()

    def _by_words(self, batch: Sequence[Conversation]) -> Extracts:
        found = extractive.extract(
            batch, facets=self._reading.facets, embed=self._embedder, phrases_limit=PHRASES_OF_A_CONVERSATION
        )
        self._watch.advance(len(batch))
        return found

    def _by_model(
        self, questions: Questions, model: Remembering, tally: _Tally, batch: Sequence[Conversation]
    ) -> Extracts:
        tally.begin(len(batch))
        found = modelled.extract(
            batch,
            questions=questions,
            embed=self._embedder,
            ask=model.ask if self._reading.batches else partial(self._in_turn, model),
            phrases_limit=PHRASES_OF_A_CONVERSATION,
            keep_summaries=self._reading.keep_summaries,
        )
        with self._turn:
            self._go_on()
            tally.end()
        return found

    def _in_turn(self, model: Remembering, prompts: Sequence[Prompt]) -> list[Reply]:
        """One segment at a time, so that no more calls are in flight than the policy says."""
        with self._asking:
            self._go_on()
            try:
                return model.ask(prompts)
            except BaseException:
                self._over.set()  # before the next one begins to spend
                raise

    def _heard(self, tally: _Tally, _: Reply) -> None:
        """A new answer: say how far this is, and what the epoch has cost so far."""
        with self._turn:
            self._go_on()
            tally.heard()
            self._watch.paid(self._models.at_most)

    def _go_on(self) -> None:
        if self._over.is_set():
            raise _Over("this run is over; what has arrived is kept")

    def _batches(self, path: Path, key: EpochKey) -> Iterator[list[Conversation]]:
        conversations = read_segment(path, key, store=self._raw.store)
        while batch := list(islice(conversations, BATCH)):
            yield batch


class _Over(ModelUnavailable):
    """Another segment, or Ctrl-C, has ended the run."""


class _Tally:
    """Conversations of a batch that are told to be done: its share with each answer, what is left of them at the end.

    answers: that one conversation needs at most, the steps of a walk left out.
    """

    def __init__(self, advance: Callable[[int], None], *, answers: int) -> None:
        self._advance = advance
        self._answers = answers
        self._size = self._heard = self._told = 0

    def begin(self, size: int) -> None:
        self._size, self._heard, self._told = size, 0, 0

    def heard(self) -> None:
        self._heard += 1
        self._tell(min(self._heard // self._answers, self._size))

    def end(self) -> None:
        self._tell(self._size)

    def _tell(self, done: int) -> None:
        if done > self._told:
            self._advance(done - self._told)
            self._told = done
