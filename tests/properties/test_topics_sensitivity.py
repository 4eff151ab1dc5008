"""Adding one user, however adversarial, moves no statistic of topic discovery by more than its mechanism declares.

The pipeline runs on D and on D plus one user against a noise source that records the exact statistics and answers, in
the second run, with the very outputs of the first. All adaptive choices then agree, so every pair of statistics is
neighbouring in the sense of the composition theorem, and can be compared in exact integers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer
from sfumato.topics import counts, discover, grid, refine, vocabulary
from sfumato.topics.plan import TopicPlan

DIMENSIONS = 12
FACETS = {"language": ("en", "de", "unknown"), "channel": ("web", "unknown")}
SEVERAL = FACETS | {"tools": ("search", "code", "files", "unknown")}  # two values of one conversation
WORDS = (
    "card", "limit", "flight", "recipe", "tyre", "credit card", "song", "weather", "überweisung", "余额", "パスワード",
    "e\u0301tude", "\u202emirror", "a\x00b", "🙂", "ß",
)  # fmt: skip


def embed(texts):
    """A public stand-in for the model: the hash of a text, as a unit vector."""
    rows = []
    for text in texts:
        seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        rows.append(np.random.default_rng(seed).normal(size=DIMENSIONS))
    rows = np.asarray(rows, np.float32).reshape(-1, DIMENSIONS)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@dataclass
class Recording:
    """Records statistics, answers with tame deterministic noise; keys are phrases by text, so that ids may move."""

    seen: list = field(default_factory=list)
    said: list = field(default_factory=list)
    names: list = field(default_factory=list)

    def gaussian(self, values, scale):
        noise = np.random.default_rng(len(self.seen)).normal(0, min(scale, 3.0), values.shape)
        return self._answer(values.copy(), lambda: values + np.rint(noise).astype(np.int64))

    def selection(self, held, scale, threshold):
        texts = {self.names[key]: count for key, count in held.items()}
        said = self._answer(texts, lambda: {text: count + 5 for text, count in texts.items() if count >= 4})
        number = {name: key for key, name in enumerate(self.names)}
        return {number[text]: count for text, count in said.items() if text in number}

    def _answer(self, statistic, draw):
        self.seen.append(statistic)
        self.said.append(draw())
        return self.said[-1]


class Replaying(Recording):
    """Answers with what another run said."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def _answer(self, statistic, draw):
        del draw
        self.seen.append(statistic)
        return self.first.said[len(self.seen) - 1]


@dataclass(frozen=True)
class User:
    """One user's conversations: phrases, facet codes and vectors, row by row."""

    phrases: tuple
    language: tuple
    channel: tuple
    vectors: np.ndarray


def epoch_of(users, *, place=None, extra=None):
    """Users side by side; `extra` is put in at `place`, which moves everybody's numbers behind it."""
    users = list(users) if extra is None else [*users[:place], extra, *users[place:]]
    number: dict[str, int] = {}
    ids = [[number.setdefault(p, len(number)) for p in row] for user in users for row in user.phrases]
    rows = [len(user.phrases) for user in users]
    return BoundedEpoch(
        units=len(users),
        unit_of=np.repeat(np.arange(len(users)), rows).astype(np.int32),
        vectors=np.concatenate([np.zeros((0, DIMENSIONS)), *(user.vectors for user in users)]).astype(np.float16),
        phrase_offsets=np.cumsum([0, *(len(row) for row in ids)]).astype(np.int64),
        phrase_ids=np.asarray([i for row in ids for i in row], np.int32),
        phrases=list(number),
        facets=_codes(users),
    )


def _codes(users):
    """Two facets of one value each, and one of two values: what the others say, the second missing where they agree."""
    first, second = (
        np.asarray([code for user in users for code in getattr(user, name)], np.int16)
        for name in ("language", "channel")
    )
    tools = np.stack([first, np.where(second == first, -1, second + 2)], axis=1).astype(np.int16)
    return {"language": first, "channel": second, "tools": tools}


def crowd(seed, size):
    """Ordinary users around a handful of places, with one to six conversations each."""
    draw = np.random.default_rng(seed)
    homes = embed(WORDS[:8])
    users = []
    for _ in range(size):
        rows = int(draw.choice([1, 1, 1, 2, 6]))
        topics = draw.integers(0, len(homes), rows)
        vectors = homes[topics] + draw.normal(0, 0.15, (rows, DIMENSIONS))
        users.append(
            User(
                phrases=tuple(
                    (WORDS[t], WORDS[(t + 1) % 8], *draw.choice(WORDS[8:], 1).tolist()) for t in topics.tolist()
                ),
                language=tuple(draw.integers(0, 3, rows).tolist()),
                channel=tuple(draw.integers(0, 2, rows).tolist()),
                vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            )
        )
    return users


ROWS = {
    "identical": lambda draw, rows: np.tile(embed(["card"]), (rows, 1)),
    "zero": lambda draw, rows: np.zeros((rows, DIMENSIONS)),
    "huge": lambda draw, rows: np.full((rows, DIMENSIONS), 60_000.0) * draw.choice([-1, 1], (rows, DIMENSIONS)),
    "tiny": lambda draw, rows: np.full((rows, DIMENSIONS), 6e-8),
    "infinite": lambda draw, rows: np.where(draw.random((rows, DIMENSIONS)) < 0.5, np.inf, -np.inf),
    "scattered": lambda draw, rows: draw.normal(0, 0.3, (rows, DIMENSIONS)),
    "opposite": lambda draw, rows: -embed([WORDS[i % 8] for i in range(rows)]),
    "axes": lambda draw, rows: 1.02 * np.eye(DIMENSIONS)[np.arange(rows) % DIMENSIONS],
}


@st.composite
def adversaries(draw):
    rows = draw(st.sampled_from([1, 2, 3, 20, 300]))
    shape = draw(st.sampled_from(sorted(ROWS)))
    everything = draw(st.booleans())
    phrases = [
        WORDS if everything else tuple(draw(st.lists(st.sampled_from(WORDS), unique=True, max_size=8)))
        for _ in range(min(rows, 3))
    ]
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    return User(
        phrases=tuple(phrases[i % len(phrases)] for i in range(rows)),
        language=tuple(random.integers(0, 3, rows).tolist()),
        channel=tuple(random.integers(0, 2, rows).tolist()),
        vectors=ROWS[shape](random, rows),
    )


WORST = User(
    phrases=(WORDS,) * 300,
    language=tuple(i % 3 for i in range(300)),
    channel=tuple(i % 2 for i in range(300)),
    vectors=np.random.default_rng(1).normal(0, 0.3, (300, DIMENSIONS)),
)
# All rows in one cell, each as far from its centre as clipping allows: what unscaled sums would fail on first.
CONCENTRATED = User(
    phrases=(WORDS,) * 20, language=(0,) * 20, channel=(0,) * 20, vectors=np.tile(-embed(["card"]), (20, 1))
)


def measured(epoch, plan, noise):
    noise.names = epoch.phrases
    if plan.screened:
        out = epoch.unit_of[epoch.facets["language"] == 1]
        both = np.asarray([epoch.units, len(np.unique(out))], np.int64)
        epoch = dataclasses.replace(epoch, screened=both)
    measurer = Measurer(noise, rho=plan.rho, delta=plan.delta)
    discover.discover(epoch, plan=plan, measurer=measurer, embed=embed, facet_domains=SEVERAL)
    return measurer.mechanisms, noise


def excess(users, adversary, *, place, plan):
    """Names of the statistics that the adversary moves beyond what their mechanisms declare."""
    mechanisms, first = measured(epoch_of(users), plan, Recording())
    again, second = measured(epoch_of(users, place=place, extra=adversary), plan, Replaying(first))
    assert [m.name for m in again] == [m.name for m in mechanisms]
    assert [(m.rho, m.l0, m.l2, m.values) for m in again] == [(m.rho, m.l0, m.l2, m.values) for m in mechanisms]
    return [
        mechanism.name
        for mechanism, before, after in zip(mechanisms, first.seen, second.seen, strict=True)
        if not _within(mechanism, before, after)
    ]


def _within(mechanism, before, after):
    if mechanism.threshold is not None:
        keys = before.keys() | after.keys()
        changes = [abs(after.get(key, 0) - before.get(key, 0)) for key in keys]
    else:
        changes = [abs(int(change)) for change in (after - before).ravel()]
    changed = [change for change in changes if change]
    square = sum(change * change for change in changed)
    return (
        len(changed) <= mechanism.l0
        and max(changed, default=0) <= mechanism.linf
        and square <= round(mechanism.l2**2 * 2**20) / 2**20
    )


def plan_of(**bounds):
    return TopicPlan(rho=4 * 10**9, delta=10**5, leaves=9, min_users=2, **bounds)


PLANS = (
    plan_of(phrases_per_user=4, topics_per_user=3, conversations_per_user=20),
    plan_of(phrases_per_user=6, topics_per_user=5, conversations_per_user=20, screened=True),
    plan_of(phrases_per_user=1, topics_per_user=1, conversations_per_user=2),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(adversary=adversaries(), seed=st.integers(0, 5), place=st.integers(0, 60), plan=st.sampled_from(PLANS))
@example(adversary=WORST, seed=0, place=0, plan=PLANS[0])
@example(adversary=WORST, seed=0, place=60, plan=PLANS[2])
@example(adversary=CONCENTRATED, seed=1, place=30, plan=PLANS[1])
def test_no_user_moves_a_statistic_beyond_its_declared_bounds(adversary, seed, place, plan):
    """Known keys: changed keys, largest change, Euclidean norm; unknown keys the same; vectors the exact norm."""
    assert excess(crowd(seed, 60), adversary, place=place, plan=plan) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(adversary=adversaries(), size=st.sampled_from([0, 1, 2, 5]))
def test_the_bounds_hold_beside_an_empty_or_tiny_crowd(adversary, size):
    """Neighbouring a handful of users, or nobody at all, is no exception."""
    assert excess(crowd(3, size), adversary, place=0, plan=PLANS[0]) == []


def _unscaled(unit, cell, row):
    return cell, np.trunc(row * refine.UNITY).astype(np.int64)


def _unlimited(unit_of, key, *, limit):
    return KEPT(unit_of, key, limit=10**6)


def _unclipped(keys, *, reach):
    return keys.rows * counts.STEPS


def _all_phrases(epoch, *, limit):
    return PHRASES(epoch, limit=10**6)


def _float_product(vectors):
    return (np.nan_to_num(vectors.astype(np.float64)) * grid.STEP).astype(np.float32)


KEPT, PHRASES = counts.kept_keys, vocabulary.unit_phrases


@pytest.mark.parametrize(
    ("owner", "part", "broken", "victim"),
    [
        (refine, "_unit_steps", _unscaled, "refine 1"),
        (counts, "kept_keys", _unlimited, "leaf users"),
        (counts, "kept_keys", _unlimited, "facet language"),
        (counts, "kept_keys", _unlimited, "facet tools by leaf"),
        (counts, "kept_keys", _unlimited, "topic phrases"),
        (counts, "bounded_rows", _unclipped, "leaf conversations"),
        (vocabulary, "unit_phrases", _all_phrases, "vocabulary"),
    ],
)
def test_a_broken_bound_is_caught(monkeypatch, owner, part, broken, victim):
    """Each bound is taken away in turn, and the check above then names the statistic that it protected."""
    monkeypatch.setattr(owner, part, broken)
    assert victim in excess(crowd(0, 60), WORST, place=10, plan=PLANS[0])


@pytest.mark.parametrize("before", [0, 1, 7, 8_191, 8_200])
def test_a_row_is_placed_the_same_in_any_company(before):
    """Nearest centres and fixed-point contributions of some rows do not depend on how many rows stand before them."""
    draw = np.random.default_rng(2)
    mine = draw.normal(0, 0.05, (40, 384)).astype(np.float16)
    others = draw.normal(0, 0.05, (before, 384)).astype(np.float16)
    centres = grid.quantise(draw.normal(0, 0.05, (33, 384)))
    basis = np.linalg.qr(draw.normal(size=(384, 20)))[0]
    frame = refine.frame(centres / grid.STEP @ basis, basis)
    alone, together = mine, np.concatenate([others, mine])
    assert (grid.nearest(alone, centres) == grid.nearest(together, centres)[before:]).all()
    cell, row = refine._row_vectors(alone, frame)
    cells, rows = refine._row_vectors(together, frame)
    assert (cell == cells[before:]).all()
    assert (row == rows[before:]).all()
