"""Adding one user, however adversarial, moves no count over a declared taxonomy by more than its mechanism declares.

D and D plus one user run with the same noise, so that every adaptive choice agrees and statistics compare exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay import Recording, Replaying, within
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer
from sfumato.topics import counts, declared, declared_nearest, layout
from sfumato.topics.counting import Run
from sfumato.topics.plan import TopicPlan
from stand_ins import HashedEmbedder

FACETS = {"language": ("en", "de", "unknown"), "values": ("a", "b", "c", "unknown")}
WIDTH = 3  # nodes, and values of the second facet, of one conversation


def _tree():
    """Ragged: two branches three deep, one of depth two, one leaf at the top."""
    nodes = [Node(id=top, parent=None, name=f"branch {top}") for top in "pqrs"]
    nodes += [Node(id=f"{top}{i}", parent=top, name=f"{top} part {i}") for top in "pqr" for i in range(4)]
    nodes += [Node(id=f"{top}{i}{j}", parent=f"{top}{i}", name=f"{top} {i} piece {j}")
              for top in "pq" for i in range(4) for j in range(3)]  # fmt: skip
    return Taxonomy(nodes=tuple(nodes), digest="0" * 64)


TREE = _tree()


@dataclass(frozen=True)
class User:
    """One user's conversations, row by row: nodes (rows, WIDTH), language (rows,), values (rows, WIDTH)."""

    nodes: np.ndarray
    language: np.ndarray
    values: np.ndarray


def user(random, rows, *, low=-1, high=None):
    return User(
        nodes=random.integers(low, len(TREE) if high is None else high, (rows, WIDTH)),
        language=random.integers(0, 3, rows),
        values=random.integers(-1, 4, (rows, WIDTH)),
    )


def crowd(seed, size):
    random = np.random.default_rng(seed)
    return [user(random, int(random.choice([1, 1, 2, 6]))) for _ in range(size)]


def epoch_of(users):
    rows = [len(one.nodes) for one in users]
    empty = np.zeros((0, WIDTH))
    total = sum(rows)
    return (
        BoundedEpoch(
            units=len(users),
            unit_of=np.repeat(np.arange(len(users)), rows).astype(np.int32),
            vectors=np.zeros((total, 4), np.float16),
            phrase_offsets=np.zeros(total + 1, np.int64),
            phrase_ids=np.zeros(0, np.int32),
            phrases=[],
            facets={
                "language": np.concatenate([np.zeros(0), *(one.language for one in users)]).astype(np.int16),
                "values": np.concatenate([empty, *(one.values for one in users)]).astype(np.int16),
            },
        ),
        np.concatenate([empty, *(one.nodes for one in users)]).astype(np.int16),
    )


@pytest.fixture(autouse=True, scope="module")
def _no_map():
    """Where topics stand on the map follows from their names alone, and takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "positions", lambda vectors: np.zeros((len(vectors), 2)))
        yield


def measured(users, plan, noise, *, columns):
    epoch, nodes = epoch_of(users)
    measurer = Measurer(noise, rho=plan.rho, delta=plan.delta)
    declared.discover(
        epoch,
        taxonomy=TREE,
        nodes=nodes[:, 0] if columns == 1 else nodes[:, :columns],
        plan=plan,
        measurer=measurer,
        embed=HashedEmbedder().embed,
        facet_domains=FACETS,
    )
    return measurer.mechanisms, noise


def excess(users, adversary, *, place, plan, columns=WIDTH):
    """Names of the statistics that the adversary moves beyond what their mechanisms declare."""
    mechanisms, first = measured(users, plan, Recording(), columns=columns)
    more = [*users[:place], adversary, *users[place:]]
    again, second = measured(more, plan, Replaying(first), columns=columns)
    assert [(m.name, m.rho, m.l0, m.l2, m.values) for m in again] == [
        (m.name, m.rho, m.l0, m.l2, m.values) for m in mechanisms
    ]
    assert sum(m.rho for m in mechanisms) <= plan.rho
    return [
        mechanism.name
        for mechanism, before, after in zip(mechanisms, first.seen, second.seen, strict=True)
        if not within(mechanism, before, after)
    ]


def plan_of(**bounds):
    return TopicPlan(rho=4 * 10**9, delta=1, min_users=2, **bounds)


PLANS = (
    plan_of(topics_per_user=3, conversations_per_user=20),
    plan_of(topics_per_user=5, conversations_per_user=20),
    plan_of(topics_per_user=1, conversations_per_user=2),
    plan_of(topics_per_user=2, conversations_per_user=1),
)
EVERYWHERE = User(
    nodes=np.arange(300 * WIDTH).reshape(300, WIDTH) % len(TREE),
    language=np.arange(300) % 3,
    values=np.arange(300 * WIDTH).reshape(300, WIDTH) % 4,
)
IN_ONE_NODE = User(
    nodes=np.full((300, WIDTH), len(TREE) - 1), language=np.zeros(300, int), values=np.zeros((300, WIDTH), int)
)


@st.composite
def adversaries(draw):
    """Any number of rows, nodes in and out of range (an int16 column may hold anything)."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    low, high = draw(st.sampled_from([(-1, None), (0, 4), (4, 16), (-32_768, 32_767), (len(TREE) - 3, None)]))
    return user(random, draw(st.sampled_from([1, 2, 3, 20, 300])), low=low, high=high)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    adversary=adversaries(),
    seed=st.integers(0, 5),
    size=st.sampled_from([0, 1, 5, 60]),
    place=st.integers(0, 60),
    plan=st.sampled_from(PLANS),
    columns=st.sampled_from([1, 2, WIDTH]),
)
@example(adversary=EVERYWHERE, seed=0, size=60, place=0, plan=PLANS[0], columns=WIDTH)
@example(adversary=EVERYWHERE, seed=0, size=60, place=60, plan=PLANS[2], columns=WIDTH)
@example(adversary=IN_ONE_NODE, seed=1, size=60, place=30, plan=PLANS[1], columns=WIDTH)
def test_no_user_moves_a_count_beyond_its_declared_bounds(adversary, seed, size, place, plan, columns):
    """At every depth, of users, conversations and facets: changed keys, largest change, Euclidean norm."""
    assert excess(crowd(seed, size), adversary, place=place, plan=plan, columns=columns) == []


def _unlimited(unit_of, key, *, limit):
    return KEPT(unit_of, key, limit=10**6)


def _unclipped(keys, *, reach):
    return keys.rows * counts.STEPS


KEPT = counts.kept_keys


@pytest.mark.parametrize(
    ("part", "broken", "adversary", "victims"),
    [
        (
            "kept_keys",
            _unlimited,
            EVERYWHERE,
            {"depth 2 users", "depth 3 users", "facet language at depth 2", "facet values"},
        ),
        ("bounded_rows", _unclipped, IN_ONE_NODE, {"depth 1 conversations", "depth 3 conversations"}),
    ],
    ids=["limit", "clip"],
)
def test_a_broken_bound_is_caught(monkeypatch, part, broken, adversary, victims):
    """Each bound is taken away in turn, and the check above then names the statistics that it protected."""
    monkeypatch.setattr(counts, part, broken)
    assert victims <= set(excess(crowd(0, 60), adversary, place=10, plan=PLANS[0]))


@given(seed=st.integers(0, 50), plan=st.sampled_from(PLANS))
@settings(max_examples=30, deadline=None)
def test_a_unit_that_counts_in_a_node_counts_in_all_above_it(seed, plan):
    """So the exact counts agree over the tree, and making noisy ones agree brings them nearer."""
    epoch, nodes = epoch_of(crowd(seed, 20))
    shape = declared.Shape.of(TREE)
    run = Run(
        epoch=epoch, plan=plan, measurer=Measurer(Recording(), rho=1, delta=1), charges={},
        touched=plan.topics_per_user, reach=3,
    )  # fmt: skip
    held = declared._standing(run, shape, nodes, WIDTH)
    at = []
    for depth, codes in enumerate(shape.levels):
        keys, _ = held.keys(depth)
        at.append(set(zip(keys.unit.tolist(), codes[keys.key].tolist(), strict=True)))
    for above, below in pairwise(at):
        assert {(unit, int(shape.parent[node])) for unit, node in below} <= above


@pytest.mark.parametrize("before", [0, 1, 511, 512, 700])
def test_a_conversation_stands_for_the_same_nodes_in_any_company(before):
    """Its nearest leaves do not depend on how many conversations are compared beside it."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 384))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    mine = centres[:25] + random.normal(0, 0.02, (25, 384))
    mine = (mine / np.linalg.norm(mine, axis=1, keepdims=True)).astype(np.float16)
    others = random.normal(0, 0.05, (before, 384)).astype(np.float16)
    alone = declared_nearest._places(mine, centres.astype(np.float32), 3, 0.05)
    together = declared_nearest._places(np.concatenate([others, mine]), centres.astype(np.float32), 3, 0.05)
    assert (alone == together[before:]).all()
    assert (alone[:, 0] == np.arange(25)).all()
