"""Topic discovery on a small world with known topics: shape of the tree, budget, plausibility of its numbers."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pytest

from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer
from sfumato.topics.discover import discover
from sfumato.topics.plan import TopicPlan
from sfumato.topics.tree import assign

HEADS, TAILS = ("bo", "ka", "li", "mu", "ne", "po"), ("dran", "fel", "gost", "hirm", "jask", "kelp", "lomp")
NAMES = [head + tail for head in HEADS for tail in TAILS]
DOMAIN = {"language": ("en", "fr", "unknown")}
PER_TOPIC = 120


class Faint:
    """Noise of one tenth of what is asked, so that the small world stays readable. Never for a release."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)

    def gaussian(self, values, scale):
        return values + np.rint(self.random.normal(0, scale / 10, values.shape)).astype(np.int64)

    def selection(self, counts, scale, threshold):
        noisy = {key: count + round(self.random.normal(0, scale / 10)) for key, count in counts.items()}
        return {key: count for key, count in noisy.items() if count >= threshold}


@cache
def vector(text):
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    found = np.random.default_rng(seed).normal(size=48)
    return found / np.linalg.norm(found)


def embed(texts):
    """A phrase lies in the direction of the mean of its words."""
    rows = [np.sum([vector(word) for word in text.split()], axis=0) for text in texts]
    rows = np.asarray(rows, np.float32).reshape(-1, 48)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def world(topics, *, rows_per_user=1):
    draw = np.random.default_rng(4)
    label = np.repeat(np.arange(topics), PER_TOPIC)
    unit = np.arange(len(label)) // rows_per_user
    vectors = embed([NAMES[i] for i in label]) + draw.normal(0, 0.06, (len(label), 48))
    epoch = BoundedEpoch(
        units=int(unit[-1]) + 1 if len(unit) else 0,
        unit_of=unit.astype(np.int32),
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16),
        phrase_offsets=np.arange(len(label) + 1, dtype=np.int64),
        phrase_ids=label.astype(np.int32),
        phrases=NAMES[:topics],
        facets={"language": (label % 3).astype(np.int16)},
    )
    return epoch, label


def run(epoch, **changes):
    plan = TopicPlan(rho=2 * 10**9, delta=10**3, **changes)
    measurer = Measurer(Faint(), rho=plan.rho, delta=plan.delta)
    return discover(epoch, plan=plan, measurer=measurer, embed=embed, facet_domains=DOMAIN), measurer, plan


@pytest.fixture(scope="module")
def found():
    epoch, label = world(40)
    return *run(epoch, leaves=40), epoch, label


def test_known_topics_are_found_and_named_by_their_own_phrase(found):
    tree, _, _, epoch, label = found
    leaf = assign(epoch.vectors, tree.centroids)
    names = {topic.id: topic.name for topic in tree.topics}
    right = [NAMES[np.bincount(label[leaf == k]).argmax()] in names[tree.leaf_ids[k]] for k in np.unique(leaf)]
    assert np.mean(right) > 0.9
    pure = sum(np.bincount(label[leaf == k]).max() for k in np.unique(leaf)) / len(label)
    assert pure > 0.9


def test_counts_are_within_their_noise_of_the_truth(found):
    tree, _, _, epoch, _ = found
    true = np.bincount(assign(epoch.vectors, tree.centroids), minlength=len(tree.leaf_ids))
    users = {topic.id: topic.users for topic in tree.topics}
    for leaf, count in zip(tree.leaf_ids, true, strict=True):
        assert abs(users[leaf].value - count) <= 4 * users[leaf].sigma
    assert abs(tree.users.value - epoch.units) <= 4 * tree.users.sigma
    assert abs(tree.conversations.value - len(epoch)) <= 4 * tree.conversations.sigma


def test_the_tree_has_three_levels_linked_upwards_and_children_add_up(found):
    tree, *_ = found
    by_id = {topic.id: topic for topic in tree.topics}
    assert {topic.level for topic in tree.topics} == {0, 1, 2}
    for topic in tree.topics:
        assert (topic.parent is None) == (topic.level == 2)
        children = [child for child in tree.topics if child.parent == topic.id]
        assert all(by_id[child.parent].level == child.level + 1 for child in children)
        if children:
            assert sum(child.users.value for child in children) == pytest.approx(topic.users.value)


def test_names_are_distinct_on_a_level_and_made_of_released_phrases(found):
    tree, *_ = found
    released = {phrase.text for phrase in tree.phrases}
    for level in range(3):
        names = [topic.name for topic in tree.topics if topic.level == level]
        assert len(set(names)) == len(names)
    assert all(set(topic.name.split(" · ")) <= released for topic in tree.topics)
    assert all(phrase.text in released for topic in tree.topics for phrase in topic.phrases)


def test_every_topic_has_a_place_and_facets_over_the_whole_domain(found):
    tree, *_ = found
    assert all(-1 <= topic.x <= 1 and -1 <= topic.y <= 1 for topic in tree.topics)
    assert all(len(topic.facets["language"]) == 3 for topic in tree.topics)
    assert len(tree.facets["language"]) == 3


def test_the_charges_stay_within_the_plan(found):
    _, measurer, plan, *_ = found
    assert sum(mechanism.rho for mechanism in measurer.mechanisms) <= plan.rho
    assert sum(mechanism.delta for mechanism in measurer.mechanisms) <= plan.delta
    assert measurer.rho_left >= 0


@pytest.mark.parametrize("topics", [0, 1, 2, 5, 10])
def test_small_worlds_and_an_empty_one_give_a_tree_too(topics):
    tree, *_ = run(world(topics)[0])
    assert len({topic.level for topic in tree.topics}) <= 2
    assert len(tree.leaf_ids) == len(tree.centroids) <= max(topics, 2)
    assert bool(tree.topics) == (topics > 0)


def test_conversations_outnumber_users_where_users_have_several():
    tree, *_ = run(world(12, rows_per_user=4)[0], leaves=12)
    leaves = [topic for topic in tree.topics if topic.level == 0]
    assert sum(topic.conversations.value for topic in leaves) > 2 * sum(topic.users.value for topic in leaves)


def test_one_measurement_serves_both_counts_where_the_unit_is_the_conversation():
    tree, measurer, *_ = run(world(12)[0], conversations_per_user=1)
    assert not any("conversations" in mechanism.name for mechanism in measurer.mechanisms)
    assert all(topic.users == topic.conversations for topic in tree.topics)


def test_assignment_does_not_mind_half_precision_or_chunks():
    centres = embed(NAMES[:7])
    rows = np.tile(centres, (3_000, 1)).astype(np.float16)
    assert (assign(rows, centres) == np.tile(np.arange(7), 3_000)).all()
