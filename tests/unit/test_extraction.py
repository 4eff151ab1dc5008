"""One epoch's extraction by a model in batches: all segments side by side, and Ctrl-C does not wait for them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from decimal import Decimal

import pytest

from gateways import modelled_policy, own_word
from sfumato.errors import ModelUnavailable, Refused
from sfumato.extraction import READING, WRITING, Extraction, Watch, billed
from sfumato.model.conversation import Conversation, Message
from sfumato.model.prompt import Reply
from sfumato.planning import reading_of
from sfumato.vault.derived import DerivedStore
from sfumato.vault.journal import SUFFIX
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import SegmentWriter
from stand_ins import HashedEmbedder

ONE_BY_ONE = modelled_policy()
BATCHES = modelled_policy(("model: claude-haiku-4-5", "model: claude-haiku-4-5, batch: true"))
PATIENCE_S = 20


class Models:
    """A model for every segment: `answer` decides, and all must be asked before the first is answered."""

    def __init__(self, answer, segments):
        self.answer = answer
        self.together = threading.Barrier(segments)
        self.at_most = Decimal(0)

    @contextmanager
    def open(self, _role, *, journal=None):
        yield self

    def note_to(self, note):
        self.note = note

    def complete(self, prompts, *, arrived):
        self.together.wait(PATIENCE_S)
        replies = [self.answer(prompt) for prompt in prompts]
        for place, reply in enumerate(replies):
            arrived(place, reply)
        return replies


class Zone:
    """Three segments of ten conversations each, and what extraction makes of them."""

    def __init__(self, folder):
        keys = EpochKeys(folder / "keys", RootKey(b"t" * 32))
        self.key = keys.create("d", "2026-11", "raw")
        self.derived_key = keys.create("d", "2026-11", "derived")
        self.derived = folder / "derived"
        self.raw = RawZone(
            dataset="d", part="2026-11", folder=folder / "raw", keys=keys, receipts=folder / "receipts", sign=bytes
        )
        with SegmentWriter(self.raw.folder, self.key, block_records=10) as writer:
            for number in range(30):
                writer.add(
                    Conversation(
                        conversation_id=number.to_bytes(16, "big"),
                        unit_id=number.to_bytes(16, "big"),
                        messages=(Message(role="user", content=f"bread and {own_word(number)}"),),
                        attributes={},
                    )
                )

    def extract(self, models, *, policy=BATCHES, embedder=None, advance=lambda _: None):
        Extraction(
            raw=self.raw,
            folder=self.derived,
            key=self.derived_key,
            reading=reading_of(policy),
            embedder=embedder or HashedEmbedder(),
            models=models,
            watch=Watch(advance=advance, paid=lambda _: None),
        ).run(self.key)

    def stored(self):
        return [
            one for batch in DerivedStore(self.derived, self.derived_key).batches() for one in batch.conversation_ids
        ]


@pytest.fixture
def zone(tmp_path):
    return Zone(tmp_path)


def labelled(_prompt):
    return Reply(fields={"summary": "About bread.", "labels": ["bake bread"]})


def test_all_segments_wait_for_their_batches_at_the_same_time_and_each_conversation_is_stored_once(zone):
    zone.extract(Models(labelled, segments=3))
    assert sorted(zone.stored()) == [number.to_bytes(16, "big") for number in range(30)]
    assert not zone.raw.segments()
    assert not list(zone.derived.glob(f"*{SUFFIX}"))


def test_a_segment_that_fails_ends_the_run_without_waiting_for_the_others_and_they_retire_nothing(zone):
    patience = threading.Event()
    lock = threading.Lock()
    calls = []

    def answer(prompt):
        with lock:
            calls.append(prompt)
            first = len(calls) == 1
        if first:
            raise ModelUnavailable("gone")
        patience.wait(PATIENCE_S)
        return labelled(prompt)

    with pytest.raises(ModelUnavailable, match="gone"):
        zone.extract(Models(answer, segments=3))
    left = len(zone.raw.segments())
    patience.set()
    for thread in threading.enumerate():
        if thread.name.startswith("segment-"):
            thread.join(PATIENCE_S)
    assert left == len(zone.raw.segments()) == 3
    zone.extract(Models(labelled, segments=3))
    assert sorted(zone.stored()) == [number.to_bytes(16, "big") for number in range(30)]


class Asked:
    """A model that notes how many segments ask it at once, and waits until another one's answers are put away."""

    def __init__(self):
        self.at_most = Decimal(0)
        self.asking = self.most = self.calls = 0
        self.put_away = threading.Event()
        self.together = threading.Event()

    @contextmanager
    def open(self, _role, *, journal=None):
        yield self

    def complete(self, prompts, *, arrived):
        self.asking += 1
        self.calls += 1
        self.most = max(self.most, self.asking)
        if self.calls == 2:
            self.together.set()
            assert self.put_away.wait(PATIENCE_S)
        replies = [labelled(prompt) for prompt in prompts]
        for place, reply in enumerate(replies):
            arrived(place, reply)
        self.asking -= 1
        return replies


def test_while_a_model_is_asked_about_one_segment_the_answers_about_another_are_put_away(zone):
    models = Asked()

    class Embedder(HashedEmbedder):
        def embed(self, texts):
            assert models.together.wait(PATIENCE_S)
            models.put_away.set()
            return super().embed(texts)

    zone.extract(models, policy=ONE_BY_ONE, embedder=Embedder())
    assert (models.calls, models.most) == (3, 1)
    assert sorted(zone.stored()) == [number.to_bytes(16, "big") for number in range(30)]


def test_every_answer_moves_the_bar_and_at_the_end_every_conversation_is_told_once(zone):
    told = []

    class Telling:
        at_most = Decimal(0)

        @contextmanager
        def open(self, _role, *, journal=None):
            yield self

        def complete(self, prompts, *, arrived):
            replies = [labelled(prompt) for prompt in prompts]
            for place, reply in enumerate(replies[:-1]):
                arrived(place, reply)
            told.append("all but one")
            arrived(len(replies) - 1, replies[-1])
            return replies

    zone.extract(Telling(), policy=ONE_BY_ONE, advance=told.append)
    assert told.index("all but one") == 9  # one by one, not by the batch
    assert sum(one for one in told if one != "all but one") == 30


def test_the_first_failure_is_the_one_that_is_told_and_nobody_asks_after_it(zone):
    calls = []

    class Failing:
        at_most = Decimal(0)

        @contextmanager
        def open(self, _role, *, journal=None):
            yield self

        def complete(self, prompts, *, arrived):
            calls.append(len(prompts))
            raise Refused("the spend cap")

    with pytest.raises(Refused, match="spend cap"):
        zone.extract(Failing(), policy=ONE_BY_ONE)
    assert calls == [10]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("segment-")]
    assert len(zone.raw.segments()) == 3


def test_the_bill_goes_on_from_what_was_noted_last_and_writing_has_one_of_its_own(zone):
    begun = []

    def opened(before):
        begun.append(before)
        return Models(labelled, segments=1)

    for paid in (Decimal("1.5"), Decimal("2.25")):
        with billed(zone.derived, zone.derived_key, opened, work=READING) as models:
            models.note(Decimal(9))
            models.note(paid)
    with billed(zone.derived, zone.derived_key, opened, work=READING):
        pass
    with billed(zone.derived, zone.derived_key, opened, work=WRITING):
        pass
    assert begun == [0, Decimal("1.5"), Decimal("2.25"), 0]
