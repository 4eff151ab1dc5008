"""Topics of a declared taxonomy: budget, nearest nodes, consistency, ids, and the tree that comes out."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.gate.card import card
from sfumato.gate.door import Door, Header
from sfumato.model.document import TOPIC_ID, decode, encode
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.policy.schema import Thresholds
from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer
from sfumato.privacy.noise import OpenDPNoise
from sfumato.topics import declared, declared_nearest, declared_shape
from sfumato.topics.declared_shape import Shape
from sfumato.topics.plan import TopicPlan
from stand_ins import HashedEmbedder


class Exact:
    """No noise at all: it can publish nothing."""

    def gaussian(self, values, scale):
        del scale
        return values


def taxonomy(*rows):
    return Taxonomy(nodes=tuple(Node(id=id_, parent=parent, name=name) for id_, parent, name in rows), digest="0" * 64)


TREE = taxonomy(
    ("food", None, "food"),
    ("money", None, "money"),
    ("lonely", None, "gardening roses"),
    ("bread", "food", "sourdough bread"),
    ("soup", "food", "lentil soup"),
    ("tax", "money", "tax return"),
    ("rye", "bread", "rye loaf oven"),
)
CODE = {node.id: code for code, node in enumerate(TREE.nodes)}


def epoch_of(unit_of, **facets):
    unit_of = np.asarray(unit_of, np.int32)
    return BoundedEpoch(
        units=int(unit_of.max(initial=-1)) + 1,
        unit_of=unit_of,
        vectors=np.zeros((len(unit_of), 4), np.float16),
        phrase_offsets=np.zeros(len(unit_of) + 1, np.int64),
        phrase_ids=np.zeros(0, np.int32),
        phrases=[],
        facets={name: np.asarray(codes, np.int16) for name, codes in facets.items()},
    )


def plan(**changes):
    return TopicPlan(**{"rho": 10**15, "delta": 1, "min_users": 10, **changes})


def discovered(unit_of, nodes, *, plan=plan(), domains=(), tree=TREE, **facets):  # noqa: B008 - a frozen value
    measurer = Measurer(Exact(), rho=plan.rho, delta=plan.delta)
    found = declared.discover(
        epoch_of(unit_of, **facets),
        taxonomy=tree,
        nodes=np.asarray(nodes, np.int16),
        plan=plan,
        measurer=measurer,
        embed=HashedEmbedder().embed,
        facet_domains=dict(domains),
    )
    return found, measurer


@given(
    rho=st.integers(1, 10**12),
    depth=st.integers(1, 12),
    facets=st.lists(st.text("abc", min_size=1), unique=True, max_size=5),
    cap=st.sampled_from([1, 20]),
    screened=st.booleans(),
)
def test_charges_never_pass_the_plan_and_leave_no_measurement_out(rho, depth, facets, cap, screened):
    """Every step has a share, their sum stays within rho, and a budget that can't do so is refused."""
    wanted = plan(rho=rho, conversations_per_user=cap, screened=screened, overall_only=frozenset(facets[:1]))
    try:
        shares = declared.charges(wanted, depth=depth, facets=facets)
    except ValueError:
        assert rho < 3 * 1000
        return
    assert sum(shares.values()) <= rho
    assert min(shares.values()) >= declared.FACET_DEPTHS
    assert {f"depth {at} users" for at in range(1, depth + 1)} <= shares.keys()
    assert ("depth 1 conversations" in shares) == (cap > 1)
    assert ("screen" in shares) == screened
    assert [f for f in facets if f"facet {f} by node" in shares] == facets[1:]


def test_every_node_counts_its_own_users_and_those_below_it():
    """Distinct users of a node are those of the node itself and of all under it, each once."""
    unit_of = np.repeat(np.arange(30), 2)
    nodes = [[CODE["rye"], CODE["soup"]][i % 2] for i in range(60)]
    found, _ = discovered(unit_of, nodes)
    assert {topic.id: round(topic.users.value) for topic in found.topics} == {
        "food": 30, "bread": 30, "soup": 30, "rye": 30,
    }  # fmt: skip
    assert {topic.id: topic.level for topic in found.topics} == {"food": 2, "bread": 1, "soup": 0, "rye": 0}
    assert {topic.id: round(topic.conversations.value) for topic in found.topics} == {
        "food": 60, "bread": 30, "soup": 30, "rye": 30,
    }  # fmt: skip


def test_a_conversation_that_stands_for_several_nodes_counts_once_above_them():
    """Two labels under one branch make one user and one conversation of the branch."""
    nodes = np.tile([CODE["rye"], CODE["soup"]], (20, 1))
    found, _ = discovered(np.arange(20), nodes)
    assert {topic.id: round(topic.conversations.value, 2) for topic in found.topics} == {
        "food": 20, "bread": 20, "soup": 20, "rye": 20,
    }  # fmt: skip


def test_a_conversation_may_stand_for_an_inner_node_or_for_none():
    """An inner node's count may exceed its children's; codes beyond the tree (`unknown`) and -1 count nowhere."""
    nodes = [CODE["food"]] * 15 + [CODE["rye"]] * 12 + [len(TREE)] * 40 + [-1] * 40
    found, _ = discovered(np.arange(107), nodes)
    assert {topic.id: round(topic.users.value) for topic in found.topics} == {"food": 27, "bread": 12, "rye": 12}
    assert round(found.users.value) == 107


def test_a_node_under_the_threshold_is_not_there_nor_is_what_stands_below_it():
    """The tree is closed upwards: a topic's parent, where it has one, is a topic of a higher level before it."""
    nodes = [CODE["rye"]] * 12 + [CODE["tax"]] * 9
    found, _ = discovered(np.arange(21), nodes)
    seen = {}
    for topic in found.topics:
        assert topic.parent is None or seen[topic.parent] > topic.level
        seen[topic.id] = topic.level
        assert topic.users.value >= 10
        assert topic.phrases == ()
    assert "tax" not in seen
    assert found.leaf_ids == ("rye",)
    assert len(found.centroids) == 1


def test_noise_alone_shows_almost_nothing():
    """A threshold lower than the noise lets no flood of empty nodes through: three standard deviations are asked."""
    wide = taxonomy(*[(f"n{i}", None, f"name {i}") for i in range(2_000)])

    class Noise:
        def gaussian(self, values, scale):
            return values + np.rint(np.random.default_rng(values.size).normal(0, scale, values.shape)).astype(np.int64)

    plan_ = plan(rho=20_000_000, min_users=2)
    found = declared.discover(
        epoch_of(np.arange(50)), taxonomy=wide, nodes=np.full(50, -1, np.int16), plan=plan_,
        measurer=Measurer(Noise(), rho=plan_.rho, delta=1), embed=HashedEmbedder().embed, facet_domains={},
    )  # fmt: skip
    assert len(found.topics) < 12


def test_facets_are_counted_in_the_nodes_that_stand():
    """Per node the users of each value; deep nodes, and facets counted overall only, have none."""
    deep = taxonomy(("a", None, "a"), ("b", "a", "b"), ("c", "b", "c"), ("d", "c", "d"))
    channel, other = [0] * 12 + [1] * 11, [0] * 23
    found, measurer = discovered(
        np.arange(23), [3] * 23, tree=deep, domains={"channel": ("web", "app", "unknown"), "other": ("x",)},
        plan=plan(overall_only=frozenset({"other"})), channel=channel, other=other,
    )  # fmt: skip
    by_id = {topic.id: topic for topic in found.topics}
    assert [round(cell.value) for cell in by_id["c"].facets["channel"]] == [12, 11, 0]
    assert by_id["d"].facets == {}
    assert [round(cell.value) for cell in found.facets["other"]] == [23]
    assert not [m.name for m in measurer.mechanisms if m.name.startswith("facet other at")]


def test_an_empty_epoch_has_no_topics():
    """Nothing stands for anything: totals only."""
    found, _ = discovered([], np.zeros(0, np.int16))
    assert found.topics == ()


def test_rows_and_nodes_must_be_of_one_length():
    """A column that is not this epoch's is refused before anything is measured."""
    with pytest.raises(ValueError, match="row of nodes"):
        discovered([0, 1], [0])


def test_no_delta_is_spent_and_the_charges_are_the_mechanisms():
    """Known keys only: what is measured costs rho as planned, and delta nothing."""
    wanted = plan(rho=10**12)
    _, measurer = discovered(np.arange(30), [CODE["rye"]] * 30, plan=wanted)
    shares = declared.charges(wanted, depth=3, facets=())
    assert {m.name: m.rho for m in measurer.mechanisms} == shares
    assert measurer.delta_left == wanted.delta


def test_the_nearest_leaf_is_the_one_whose_words_are_said():
    """Exact words find their leaf, the branch's name helps, words of nothing stand for no node."""
    embed = HashedEmbedder().embed
    texts = ["rye loaf oven", "sourdough bread rye oven", "lentil soup", "tax return money", "quantum chromodynamics"]
    found = declared_nearest.nearest(embed(texts).astype(np.float16), TREE, embed)
    assert found.tolist() == [CODE["rye"], CODE["rye"], CODE["soup"], CODE["tax"], -1]
    assert found.dtype == np.int16


def test_several_nearest_leaves_come_nearest_first_and_only_above_the_floor():
    """`at_most` columns, -1 to the right of the last; a tree with fewer leaves than that fills up with -1."""
    embed = HashedEmbedder().embed
    vectors = embed(["lentil soup tax return", "quantum"]).astype(np.float16)
    found = declared_nearest.nearest(vectors, TREE, embed, at_most=6)
    assert found.shape == (2, 6)
    assert found[0, :2].tolist() == [CODE["soup"], CODE["tax"]]
    assert (found[1] == -1).all()
    assert (found[:, 4:] == -1).all()


def test_only_the_taxonomys_own_words_are_embedded():
    """The embedder sees names and descriptions of the declared nodes and nothing else."""
    seen = []

    def embed(texts):
        seen.extend(texts)
        return HashedEmbedder().embed(texts)

    declared_nearest.leaf_vectors(TREE, embed)
    assert set(seen) <= {declared_nearest.words(node) for node in TREE.nodes}


@given(seed=st.integers(0, 200), alone=st.booleans())
@settings(max_examples=50, deadline=None)
def test_agreed_numbers_never_hold_more_below_than_above(seed, alone):
    """Whatever the noise, no child exceeds its parent afterwards."""
    random = np.random.default_rng(seed)
    shape = Shape.of(TREE)
    fitted = declared_shape.agreed(random.normal(0, 20, len(TREE)), [1.0, 5.0, 9.0], shape, alone=alone)
    below = shape.parent >= 0
    assert (fitted[below] <= fitted[shape.parent[below]] + 1e-9).all()


@pytest.mark.parametrize("alone", [False, True])
def test_numbers_that_agree_already_stay(alone):
    """Only what contradicts the tree is moved."""
    values = np.asarray([50.0, 30, 4, 20, 15, 30, 20])
    assert declared_shape.agreed(values, [1, 1, 1], Shape.of(TREE), alone=alone).tolist() == values.tolist()


def test_making_numbers_agree_brings_them_nearer():
    """Over many draws, the squared error of a ragged tree's counts falls."""
    truth = np.asarray([40.0, 6, 4, 40, 0, 6, 38])
    shape, random = Shape.of(TREE), np.random.default_rng(1)
    before = after = 0.0
    for _ in range(400):
        noisy = truth + random.normal(0, 10, len(truth))
        before += float(((noisy - truth) ** 2).sum())
        after += float(((declared_shape.agreed(noisy, [10, 10, 10], shape, alone=False) - truth) ** 2).sum())
    assert after < 0.95 * before


def test_a_node_has_no_fewer_conversations_than_the_surer_count_of_users_says():
    """Noise that puts conversations under users is corrected by how sure each of them is; the rest stays."""
    shape = Shape.of(TREE)
    users = np.full(len(TREE), 60.0)
    talks = np.asarray([10.0, 90, 60, 10, 200, 61, 10])
    fitted = declared_shape.no_fewer(talks, [30, 30, 30], users, [10, 10, 10], shape)
    assert fitted.round(1).tolist() == [55.0, 90, 60, 55.0, 200, 61, 55.0]


@given(ids=st.lists(st.text(min_size=1, max_size=80), unique=True, min_size=1, max_size=20))
def test_ids_of_topics_fit_a_release_and_never_collide(ids):
    """Any node id becomes an id that a release can carry, and two nodes never share one."""
    made = declared_shape.topic_ids(taxonomy(*[(id_, None, "x") for id_ in ids]))
    assert len(set(made)) == len(ids)
    assert all(re.fullmatch(TOPIC_ID, one) for one in made)


def test_an_id_follows_from_the_nodes_own_alone():
    """It stays the same from release to release, plain ones as they are; one that looks hashed is hashed again."""
    alone = declared_shape.topic_ids(taxonomy(("balanced wisdom", None, "x")))[0]
    [plain, spaced, posing] = declared_shape.topic_ids(
        taxonomy(("4.A.1.a.1.I01", None, "x"), ("balanced wisdom", None, "x"), (alone, None, "x"))
    )
    assert plain == "4.A.1.a.1.I01"
    assert spaced == alone
    assert posing != alone


@pytest.mark.parametrize("width", [1, 2])
def test_a_declared_tree_passes_the_door_and_its_document_reads_back(width):
    """A ragged tree, measured with real noise, becomes a release whose document decodes to the same topics."""
    wanted = plan(rho=2 * 10**9, min_users=50)
    random = np.random.default_rng(0)
    nodes = random.choice([CODE["rye"], CODE["soup"], CODE["tax"], CODE["lonely"], -1], (2_000, width))
    with OpenDPNoise() as noise:
        measurer = Measurer(noise, rho=wanted.rho, delta=wanted.delta)
        tree = declared.discover(
            epoch_of(np.arange(2_000) // 2, turns=np.zeros(2_000)),
            taxonomy=TREE, nodes=nodes[:, 0] if width == 1 else nodes, plan=wanted, measurer=measurer,
            embed=HashedEmbedder().embed, facet_domains={"turns": ("1", "unknown")},
        )  # fmt: skip
        release = Door(
            limits=Thresholds(min_users=50, min_conversations=50), domains={"turns": ("1", "unknown")}
        ).release(
            tree,
            header=Header(
                dataset="d", epoch="2026-11", created="2026-11-21T00:00:00Z", policy_name="p", policy_digest="0" * 64
            ),
            guarantee=card(
                unit="user", mechanisms=measurer.mechanisms, bounds={"topics_per_user": 5},
                conversion_delta=Fraction(1, 10**6),
            ),
            measurer=measurer,
        )  # fmt: skip
    assert {topic.id for topic in release.topics} == set(CODE)
    assert [topic.name for topic in release.topics] == [TREE[topic.id].name for topic in release.topics]
    assert decode(encode(release)).topics == release.topics
