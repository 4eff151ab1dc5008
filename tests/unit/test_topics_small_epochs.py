"""Few users, full noise: topics of a small epoch are not lost to the noise of numbers that nobody needs.

500 users in two topics under the shipped policy of the smallest epsilon by week. Seeded noise of the scales that a
release is drawn with, so each run is the same; OpenDP's own is tested elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest

from sfumato import planning
from sfumato.policy import decide
from sfumato.policy.load import builtin_path, load
from sfumato.privacy.bounds import BoundedEpoch
from sfumato.privacy.measure import Measurer
from sfumato.topics import assemble, consistency, counting, counts

RUNS, USERS = 150, 500
POLICY = load(builtin_path("election"))
PLAN = planning.release_plan(POLICY, dataset="small", epoch="2026-W41").topics


class Full:
    """The whole of the noise, seeded. Never for a release."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def gaussian(self, values, scale):
        return values + np.rint(self.random.normal(0, scale, values.shape)).astype(np.int64)


@pytest.fixture(scope="module")
def epoch():
    return BoundedEpoch(
        units=USERS,
        unit_of=np.arange(USERS, dtype=np.int32),
        vectors=np.zeros((USERS, 4), np.float16),
        phrase_offsets=np.zeros(USERS + 1, np.int64),
        phrase_ids=np.zeros(0, np.int32),
        phrases=(),
        facets={},
    )


def shown(epoch, seed):
    """How many of the two topics pass the policy's thresholds."""
    measurer = Measurer(Full(seed), rho=PLAN.rho, delta=PLAN.delta)
    run, _ = counting.start(epoch, PLAN, measurer, PLAN.charges(()))
    nothing = assemble.Within(candidates=np.zeros((2, 0), np.int64), users=np.zeros((2, 0), np.int64), sigma=1.0)
    leaf = (np.arange(USERS) % 2).astype(np.int32)
    counted = counting.counted(run, leaf, (), {}, phrases=nothing)
    limits = POLICY.thresholds
    return sum(
        decide.release_topic(limits, users=users, conversations=talks).allowed
        for users, talks in zip(counted.users.values[0], counted.conversations.values[0], strict=True)
    )


def test_a_small_epoch_of_two_topics_shows_them(epoch):
    found = np.array([shown(epoch, seed) for seed in range(RUNS)])
    assert found.min() >= 1
    assert found.mean() > 1.95


def test_without_the_bound_on_noise_it_would_lose_them(epoch, monkeypatch):
    """The control: conversations clipped where noise says, and left below the users they belong to."""

    def by_share(bins, *, share, most):
        held = np.maximum(bins.values, 0)
        place = int(np.searchsorted(np.cumsum(held) / held.sum(), share))
        return min(counts.BIN_EDGES[place + 1] - 1, most)

    monkeypatch.setattr(counts, "reach_of", by_share)
    monkeypatch.setattr(consistency, "no_fewer", lambda talks, *_: talks)
    found = np.array([shown(epoch, seed) for seed in range(RUNS)])
    assert found.mean() < 1.9
    assert (found == 0).any()
