"""The taint test: names, descriptions, tree, positions and answers follow from released values and from nothing else.

An epoch and the same with one adversarial user more are given the very same noisy answers. Whatever is then computed
from released values alone is the same bit for bit; whatever still looks at the data differs.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_declared_sensitivity import EVERYWHERE, TREE
from test_declared_sensitivity import FACETS as DECLARED_FACETS
from test_declared_sensitivity import PLANS as DECLARED_PLANS
from test_declared_sensitivity import crowd as declared_crowd
from test_declared_sensitivity import epoch_of as declared_epoch_of
from test_live_sensitivity import CROWD, FRAME, QUESTIONS, TERMS, with_user
from test_live_sensitivity import POLICY as LIVE_POLICY
from test_live_sensitivity import WORST as LIVE_WORST
from test_topics_sensitivity import CONCENTRATED, FACETS, PLANS, WORST, Recording, Replaying, crowd, embed, epoch_of

import replay
from live_queries import columns_of
from sfumato.live import answer, measure
from sfumato.live import design as designs
from sfumato.privacy.measure import Measurer
from sfumato.topics import counts, declared, discover, layout, leaves, naming
from stand_ins import HashedEmbedder


def discovered(epoch, plan, noise):
    noise.names = epoch.phrases
    measurer = Measurer(noise, rho=plan.rho, delta=plan.delta)
    return discover.discover(epoch, plan=plan, measurer=measurer, embed=embed, facet_domains=FACETS)


def same(one, other):
    """Two trees in every field, positions and centroids to the last bit."""
    parts = [dataclasses.replace(tree, centroids=np.zeros(0)) for tree in (one, other)]
    return repr(parts[0]) == repr(parts[1]) and one.centroids.tobytes() == other.centroids.tobytes()


def both(plan, extra, *, place=10):
    users = crowd(0, 60)
    first = Recording()
    before = discovered(epoch_of(users), plan, first)
    return before, discovered(epoch_of(users, place=place, extra=extra), plan, Replaying(first))


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
@pytest.mark.parametrize("extra", [WORST, CONCENTRATED], ids=["worst", "concentrated"])
def test_a_discovered_tree_follows_from_released_values_alone(plan, extra):
    before, after = both(plan, extra)
    assert before.topics
    assert same(before, after)


def test_a_declared_tree_follows_from_released_values_alone(monkeypatch):
    monkeypatch.setattr(layout, "positions", lambda vectors: np.asarray(vectors[:, :2], np.float64))
    plan, users = DECLARED_PLANS[0], declared_crowd(0, 60)

    def tree(people, noise):
        epoch, nodes = declared_epoch_of(people)
        return declared.discover(
            epoch, taxonomy=TREE, nodes=nodes, plan=plan, facet_domains=DECLARED_FACETS,
            measurer=Measurer(noise, rho=plan.rho, delta=plan.delta), embed=HashedEmbedder().embed,
        )  # fmt: skip

    first = replay.Recording()
    before = tree(users, first)
    assert before.topics
    assert same(before, tree([*users[:7], EVERYWHERE, *users[7:]], replay.Replaying(first)))


@pytest.mark.parametrize("question", QUESTIONS[:12], ids=range(12))
def test_a_live_answer_follows_from_released_values_alone(question):
    made = designs.design(question, FRAME, TERMS)

    def said(batch, noise):
        measurer = Measurer(noise, rho=TERMS.rho, delta=0)
        users, other = measure.measured(columns_of(batch, LIVE_POLICY), question, FRAME, design=made, measurer=measurer)
        shown = answer.cells(made, users, other, LIVE_POLICY.thresholds)
        whole = answer.answered(question, made, TERMS, digest="0" * 64, shown=shown)
        return answer.together([whole], widest=answer.widest(question, made, TERMS))

    first = replay.Recording()
    assert said(CROWD, first) == said(with_user(CROWD, LIVE_WORST, 9), replay.Replaying(first))


def exact_users(keys, size, measurer, *, name, rho, l0):
    """Counts that went round the noise."""
    exact = np.bincount(keys.key, minlength=size).astype(np.int64)
    noisy = measurer.counts(name, exact, rho=rho, l0=l0, statistic="distinct units")
    return type(noisy)(values=exact, sigma=noisy.sigma)


def sorted_by_the_data(epoch, places, basis, *, target, measurer, rho):
    """Centroids that lean on a private vector."""
    found = REFINED(epoch, places, basis, target=target, measurer=measurer, rho=rho)
    found[0] += 1e-3 * np.nan_to_num(epoch.vectors.astype(np.float32)[:, : found.shape[1]]).clip(-1, 1).sum(axis=0)
    return found


def named_by_the_data(epoch, measurer, *, limit, rho, delta):
    """Phrases in an order that exact counts decide."""
    found = SELECT(epoch, measurer, limit=limit, rho=rho, delta=delta)
    held = np.bincount(epoch.phrase_ids, minlength=len(epoch.phrases))[found.ids]
    order = np.lexsort((np.arange(len(held)), held * held % 11))
    return dataclasses.replace(
        found, ids=found.ids[order], texts=tuple(found.texts[i] for i in order), users=found.users[order]
    )


REFINED, SELECT = leaves.refined, discover.vocabulary.select


@pytest.mark.parametrize(
    ("owner", "part", "tainted"),
    [
        (counts, "users", exact_users),
        (leaves, "refined", sorted_by_the_data),
        (discover.vocabulary, "select", named_by_the_data),
    ],
    ids=["counts", "positions", "order of phrases"],
)
def test_a_tree_that_looks_at_the_data_is_caught(monkeypatch, owner, part, tainted):
    monkeypatch.setattr(owner, part, tainted)
    assert not same(*both(PLANS[0], WORST))


def test_a_name_that_looks_at_the_data_is_caught(monkeypatch):
    """A namer that knows the number of rows behind its back says so in every name."""
    rows = {"number": 0}
    labels = naming.labels

    def start(epoch, *given):
        rows["number"] = len(epoch)
        return STARTED(epoch, *given)

    def named(*given):
        return [dataclasses.replace(one, name=f"{one.name} {rows['number']}") for one in labels(*given)]

    monkeypatch.setattr(discover.counting, "start", start)
    monkeypatch.setattr(naming, "labels", named)
    assert not same(*both(PLANS[0], WORST))


STARTED = discover.counting.start
