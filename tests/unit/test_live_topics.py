"""Topics in live questions: discovered ones by their centroids, declared ones by a model's walk or by their words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live_queries import extracts, policy, terms_of
from replay import Recording
from sfumato.live import columns, measure
from sfumato.live import design as designs
from sfumato.live.frame import Frame
from sfumato.model.question import TOPIC, Filter, Question
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.privacy.measure import Measurer
from sfumato.topics import assignment
from sfumato.topics.declared_nearest import leaf_vectors, nearest
from sfumato.topics.tree import Measured, TopicNode, TopicTree, assign
from stand_ins import HashedEmbedder

TERMS = terms_of(policy())
TREE = Taxonomy(
    nodes=(
        Node(id="cooking", parent=None, name="cooking"),
        Node(id="cooking/bread", parent="cooking", name="sourdough bread"),
        Node(id="cooking/soup", parent="cooking", name="vegetable soup"),
        Node(id="travel", parent=None, name="travel"),
        Node(id="travel/visa", parent="travel", name="visa application"),
    ),
    digest="d" * 64,
)
ABOUT = {"release": "rel_" + "0" * 20, "extraction": TERMS.plan.extraction_digest}
TEXTS = ("sourdough bread", "vegetable soup", "visa application", "visa application", "quantum chromodynamics")


def embed(texts):
    return HashedEmbedder().embed(texts)


def shown(*codes):
    from sfumato.topics.declared_shape import topic_ids

    ids = topic_ids(TREE)
    return [ids[code] for code in codes]


def counted(batch, places, levels, question):
    """Exact users of each cell."""
    held = columns.load([batch], TERMS, places)
    frame = Frame(facets={one.name: one for one in TERMS.plan.facets}, reach=3, levels=levels, assignment=places)
    read = frame.read(question)
    noise = Recording()
    made = designs.design(read, frame, TERMS)
    measure.measured(held, read, frame, design=made, measurer=Measurer(noise, rho=TERMS.rho, delta=0))
    return noise.seen[0].tolist()


def asked_of(rows):
    """A batch whose conversations, one of each user, stand for these nodes."""
    batch = extracts(len(rows), 1)
    return replace(batch, facets=batch.facets | {TOPIC: np.asarray(rows, np.int16)})


def test_a_walked_tree_counts_at_every_level_and_under_withheld_nodes_not_at_all():
    everything = shown(0, 1, 3, 4)  # `soup` is withheld; its conversations count in `cooking` alone
    places = assignment.declared(TREE, None, **ABOUT, shown=everything, at_most=1)
    levels = {everything[0]: 1, everything[2]: 1, everything[1]: 0, everything[3]: 0}
    batch = asked_of([1, 1, 2, 2, 2, 4, 0, 5])  # the last stands for `unknown`
    leaves = counted(batch, places, levels, Question(measure="users", by=(TOPIC,)))
    tops = counted(batch, places, levels, Question(measure="users", by=(TOPIC,), level=1))
    assert (leaves, tops) == ([2, 1], [6, 1])
    under = Question(measure="users", where=(Filter(field=TOPIC, values=(everything[0],)),))
    assert counted(batch, places, levels, under) == [6]


def test_a_conversation_under_two_nodes_counts_once_in_what_they_share():
    everything = shown(0, 1, 2, 3, 4)
    places = assignment.declared(TREE, None, **ABOUT, shown=everything, at_most=2)
    levels = dict(zip(everything, (1, 0, 0, 1, 0), strict=True))
    batch = asked_of([[1, 2], [1, -1], [2, 4], [5, -1]])
    assert counted(batch, places, levels, Question(measure="users", by=(TOPIC,))) == [2, 2, 1]
    assert counted(batch, places, levels, Question(measure="users", by=(TOPIC,), level=1)) == [3, 1]
    held = columns.load([batch], TERMS, places)
    frame = Frame(facets={}, reach=3, levels=levels, assignment=places)
    question = Question(measure="conversations", by=(TOPIC,), level=1)
    made, noise = designs.design(question, frame, TERMS), Recording()
    measure.measured(held, question, frame, design=made, measurer=Measurer(noise, rho=TERMS.rho, delta=0))
    assert (noise.seen[1] / 1024).round(2).tolist() == [3, 1], "bread and soup of one conversation are one in cooking"


@pytest.mark.parametrize("at_most", [1, 2])
def test_words_place_a_conversation_where_the_release_did(at_most):
    """Places are leaves, by the very comparison that the release's own topics came of."""
    vectors = embed(TEXTS).astype(np.float16)
    places = assignment.declared(TREE, leaf_vectors(TREE, embed), **ABOUT, shown=shown(0, 1, 2, 3, 4), at_most=at_most)
    codes = nearest(vectors, TREE, embed, at_most=at_most)
    leaves = np.asarray([*(TREE.index(leaf) for leaf in TREE.leaves()), -1])
    assert (leaves[places.places(vectors)] == codes).all()
    assert (places.places(vectors)[-1] == -1).all()


def test_centroids_place_a_conversation_where_the_release_did():
    number = Measured(value=50.0, sigma=1.0)

    def node(name, parent, level):
        return TopicNode(
            id=name, parent=parent, level=level, name=name, description="", phrases=(), users=number,
            conversations=number,
        )  # fmt: skip

    tree = TopicTree(
        users=number, conversations=number, facets={}, phrases=(),
        topics=(node("top-001", None, 1), node("leaf-001", "top-001", 0), node("leaf-002", "top-001", 0)),
        leaf_ids=("leaf-001", "leaf-002"), centroids=embed(TEXTS[:2]),
    )  # fmt: skip
    places = assignment.discovered(tree, **ABOUT, shown={"top-001", "leaf-002"})
    assert places.paths == (("top-001",), ("leaf-002", "top-001"))
    vectors = embed(TEXTS).astype(np.float16)
    assert (places.places(vectors) == assign(vectors, tree.centroids)).all()


def test_a_release_without_topics_places_nobody():
    number = Measured(value=50.0, sigma=1.0)
    tree = TopicTree(
        users=number, conversations=number, facets={}, phrases=(), topics=(), leaf_ids=(),
        centroids=np.zeros((0, 1), np.float32),
    )  # fmt: skip
    places = assignment.discovered(tree, **ABOUT, shown=())
    assert (places.places(embed(TEXTS)) == -1).all()
