"""Live questions as values: read strictly, one form for all synonyms, cells in fixed order, sizes that are no clue."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from live_queries import SIGNER, asking, columns_of, extracts, frame_of, places, policy, release, terms_of
from replay import Recording
from sfumato.errors import InputError, PolicyError
from sfumato.live import answer, measure
from sfumato.live import design as designs
from sfumato.live.measure import Series
from sfumato.live.schedule import Schedule
from sfumato.model.question import Filter, Question, encode_ask, parse, tidy
from sfumato.privacy.measure import Measurer
from sfumato.topics.assignment import decode, encode

POLICY = policy()
FRAME, TERMS = frame_of(POLICY), terms_of(POLICY)
ASK = {"dataset": "chats", "epochs": ["2026-11"], "measure": "users"}


def where(*filters):
    return tuple(Filter(field=name, values=tuple(values)) for name, values in filters)


def digest(question):
    read = FRAME.read(tidy(question))
    return None if read is None else TERMS.digest(read)


NO_RELEASE = "rel_" + "0" * 20
SYNONYMS = [
    ([Question(measure="users", by=("plan", "mood")), Question(measure="users", by=("mood", "plan", "mood"))]),
    ([Question(measure="users"), Question(measure="users", level=3), Question(measure="users", release=NO_RELEASE)]),
    (
        [
            Question(measure="users", where=where(("plan", ["pro", "free"]))),
            Question(measure="users", where=where(("plan", ["free", "pro", "pro"]), ("plan", ["pro", "free", "team"]))),
            Question(measure="users", where=where(("plan", ["free", "pro"]), ("mood", [*"12345", "unknown"]))),
        ]
    ),
    (
        [
            Question(measure="users", by=("topic",), where=where(("mood", ["1"]), ("plan", ["free"]))),
            Question(measure="users", by=("topic",), where=where(("plan", ["free"]), ("mood", ["1"]))),
            Question(
                measure="users", by=("topic",), where=where(("plan", ["free"]), ("mood", ["1"])), release=release().id
            ),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize("spellings", SYNONYMS, ids=["by", "unused parts", "values", "order and release"])
def test_all_spellings_of_a_question_have_one_digest(spellings):
    assert len({digest(one) for one in spellings}) == 1
    assert digest(spellings[0]) is not None


def test_questions_that_differ_have_digests_that_differ():
    base = Question(measure="users", by=("plan",))
    others = [
        replace(base, measure="conversations"),
        replace(base, measure="mean", of="mood"),
        replace(base, measure="mean", of="pages"),
        replace(base, by=("mood",)),
        replace(base, where=where(("tools", ["code"]))),
        replace(base, where=where(("tools", ["code"]), ("tools", ["search"]))),  # several values: not the same as one
        replace(base, by=("plan", "topic")),
        replace(base, by=("plan", "topic"), level=1),
    ]
    assert len({digest(one) for one in [base, *others]}) == len(others) + 1
    december = terms_of(POLICY, "2026-12").digest(FRAME.read(base))
    dearer = terms_of(policy(("epsilon_per_query: 0.2", "epsilon_per_query: 0.3"))).digest(FRAME.read(base))
    assert len({TERMS.digest(FRAME.read(base)), december, dearer}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"measure": "median"}, {"measure": "mean"}, {"of": "mood"}, {"epochs": []}, {"epochs": ["next month"]},
        {"by": ["a", "b", "c", "d"]}, {"by": "plan"}, {"where": [{"field": "plan"}]}, {"level": -1}, {"level": True},
        {"where": [{"field": "plan", "in": ["x" * 65]}]}, {"release": "mine"}, {"dry_run": "yes"}, {"why": 1},
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_question_is_refused_without_being_repeated(change):
    with pytest.raises(InputError) as refused:
        parse(ASK | change)
    assert "next month" not in str(refused.value)
    assert "xxx" not in str(refused.value)


def test_a_question_reads_back_as_it_was_written():
    ask = asking("mean", of="mood", by=("topic",), level=1, where={"plan": ["free"]}, dry_run=True)
    assert parse(encode_ask(ask)) == ask


@pytest.mark.parametrize(
    "question",
    [
        Question(measure="users", by=("colour",)),
        Question(measure="users", where=where(("plan", ["gold"]))),
        Question(measure="users", where=where(("topic", ["leaf-005"]))),  # a leaf that the release withheld
        Question(measure="mean", of="plan"),
        Question(measure="users", by=("topic",), level=4),
    ],
    ids=["facet", "value", "topic", "no mean", "level"],
)
def test_what_the_deployment_does_not_have_is_unknown(question):
    assert FRAME.read(question) is None


def test_a_withheld_leaf_counts_in_the_topic_above_it_alone():
    """The sixth leaf is not in the release: its conversations are in no leaf's cell and in its parent's."""
    batch = extracts(12, 1)
    vectors = np.zeros_like(batch.vectors)
    vectors[:, 5] = 1
    columns = columns_of(replace(batch, vectors=vectors), POLICY)
    for level, expected in ((0, [0] * 5), (1, [0, 12])):
        question = FRAME.read(Question(measure="users", by=("topic",), level=level))
        made, noise = designs.design(question, FRAME, TERMS), Recording()
        measure.measured(columns, question, FRAME, design=made, measurer=Measurer(noise, rho=TERMS.rho, delta=0))
        assert noise.seen[0].tolist() == expected


def test_means_are_of_each_users_own_mean_on_the_scales_own_range():
    """Three users at 1, 1 and 5 (the last with six conversations) have the mean 7/3; `unknown` has no part in it."""
    batch = extracts(4, 6)
    mood = np.repeat([0, 0, 4, 5], 6).astype(np.int16)
    columns = columns_of(replace(batch, facets=batch.facets | {"mood": mood}), POLICY)
    question = Question(measure="mean", of="mood")
    made, noise = designs.design(question, FRAME, TERMS), Recording()
    users, total = measure.measured(
        columns, question, FRAME, design=made, measurer=Measurer(noise, rho=TERMS.rho, delta=0)
    )
    assert noise.seen[0].tolist() == [3]
    exact = Series(values=noise.seen[1] / made.parts[1].step, sigma=total.sigma)
    shown = answer._mean(made.scale, 3, users.sigma, float(exact.values[0]), exact.sigma)
    assert shown.value == pytest.approx(7 / 3, abs=1e-3)
    assert 1 <= shown.low <= shown.value <= shown.high <= 5


def test_the_interval_of_a_mean_holds_it_in_95_of_100_draws():
    """The delta method against 4,000 draws of both noises, for a mean near the middle and one near an end."""
    draw, scale = np.random.default_rng(4), FRAME.scale("mood")
    for true in (0.05, -0.8):
        held = 0
        for noise in draw.normal(size=(4000, 2)):
            found = answer._mean(scale, 400 + 20 * noise[0], 20.0, 400 * true + 20 * noise[1], 20.0)
            held += found.low <= 3 + 2 * true <= found.high
        assert 0.93 < held / 4000 < 0.97


def test_cells_below_a_threshold_or_their_own_noise_have_no_number():
    made = designs.design(Question(measure="users", by=("plan",)), FRAME, TERMS)
    users = Series(values=np.asarray([29.0, 30.0, 500.0, 0.0]), sigma=9.0)
    shown = answer.cells(made, users, None, POLICY.thresholds)
    assert [one.at for one in shown] == [("free",), ("pro",), ("team",), ("unknown",)]
    assert [one.numbers is None for one in shown] == [True, False, False, True]
    noisy = answer.cells(made, replace(users, sigma=200.0), None, POLICY.thresholds)
    assert [one.numbers for one in noisy] == [None] * 4


def test_conversations_are_shown_where_both_their_thresholds_are_reached():
    made = designs.design(Question(measure="conversations", by=("plan",)), FRAME, TERMS)
    users = Series(values=np.asarray([100.0, 20.0, 100.0, 100.0]), sigma=1.0)
    talks = Series(values=np.asarray([100.0, 100.0, 20.0, 100.0]), sigma=1.0)
    shown = answer.cells(made, users, talks, POLICY.thresholds)
    assert [one.numbers is None for one in shown] == [False, True, True, False]


@pytest.mark.parametrize("by", [(), ("plan",), ("mood", "plan"), ("pages", "mood", "plan")], ids=range(4))
@pytest.mark.parametrize("name", ["users", "conversations", "mean"])
def test_the_size_of_an_answer_is_that_of_the_widest_it_could_have_been(name, by):
    question = Question(measure=name, by=by, of="mood" if name == "mean" else None)
    made = designs.design(question, FRAME, TERMS)
    most = answer.widest(question, made, TERMS)
    sizes = set()
    for users in (0.0, 40.0, 123_456_789.0):
        series = Series(values=np.full(made.size, users), sigma=3.0)
        shown = answer.cells(made, series, None if name == "users" else series, POLICY.thresholds)
        found = answer.answered(question, made, TERMS, digest="0" * 64, shown=shown)
        sizes.add(len(answer.together([found], widest=most)))
    sizes.add(len(answer.together([answer.withheld("chats", "2026-11", made)], widest=most)))
    assert len(sizes) == 1
    assert math.log2(sizes.pop() / answer.SIZE_CLASS).is_integer()


def test_an_answer_leaves_on_a_beat_after_its_question():
    """However long it took, within a beat nothing tells; a fake clock shows when each left."""
    for took, beats in ((0.0, 1), (0.1, 1), (0.4999, 1), (0.5, 1), (0.51, 2), (1.7, 4)):
        now = [100.0 + took]

        def sleep(seconds, now=now):
            now[0] += seconds

        Schedule(beat=0.5, clock=lambda now=now: now[0], sleep=sleep).wait(100.0)
        assert now[0] == pytest.approx(100 + 0.5 * beats)


def test_a_file_of_topics_reads_back_and_no_byte_of_it_may_change():
    made = places(release(), TERMS.plan.extraction_digest)
    raw = encode(made, SIGNER)
    again = decode(raw, SIGNER.public_key())
    assert (again.paths, again.release, again.at_most, again.floor) == (made.paths, made.release, 1, None)
    assert (again.vectors == made.vectors).all()
    for at in (0, 40, len(raw) // 2, len(raw) - 1):
        altered = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(InputError):
            decode(altered, SIGNER.public_key())
    for cut in (raw[:-4], raw[:50], b"", raw + b"\0\0\0\0"):
        with pytest.raises(InputError):
            decode(cut, SIGNER.public_key())
    with pytest.raises(InputError, match="not signed"):
        decode(raw, Ed25519PrivateKey.from_private_bytes(b"x" * 32).public_key())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("queries: 0.5}", "queries: 0.0}"), "guarantee.budget.queries above 0"),
        (("derived: keep_until_ttl, ", ""), "keep_until_ttl"),
        (("group_by: [topic,", "group_by: [colour, topic,"), "neither `topic` nor a facet"),
        (("measures: [users,", "measures: [users, users,"), "names one of them twice"),
    ],
    ids=["budget", "retention", "facet", "twice"],
)
def test_a_policy_whose_questions_could_not_be_answered_is_refused(change, why):
    with pytest.raises(PolicyError, match=why):
        policy(change)


def test_a_budget_that_pays_for_no_question_is_refused_before_any_is_asked():
    with pytest.raises(PolicyError, match="not one question fits"):
        terms_of(policy(("epsilon_per_query: 0.2", "epsilon_per_query: 3.9")))


def test_the_document_of_an_answer_says_its_guarantee():
    question = Question(measure="conversations", by=("plan",))
    made = designs.design(question, FRAME, TERMS)
    series = Series(values=np.full(4, 900.0), sigma=3.0)
    shown = answer.cells(made, series, series, POLICY.thresholds)
    found = json.loads(json.dumps(answer.answered(question, made, TERMS, digest="0" * 64, shown=shown)))
    assert found["guarantee"]["epsilon"] <= 0.2
    assert found["guarantee"]["unit"] == "user"
    assert sum(one["rho"] for one in found["guarantee"]["mechanisms"]) == pytest.approx(found["guarantee"]["rho"])
    assert found["guarantee"]["bounds"] == {
        "conversations_per_user": 6, "cells_per_user": 2, "conversations_in_full": 3
    }  # fmt: skip
