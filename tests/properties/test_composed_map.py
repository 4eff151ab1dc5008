"""Composition: what OpenDP's maps say of all that was measured never exceeds what the ledger was charged for it.

Of each mechanism the scale that it was drawn with and the sensitivity that it declares go into OpenDP's own map once
more; the exact sums are compared with the charge, and the whole epoch's with the policy's (epsilon, delta).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_declared_sensitivity import PLANS as DECLARED_PLANS
from test_declared_sensitivity import crowd as declared_crowd
from test_declared_sensitivity import measured as declared_measured
from test_live_sensitivity import CROWD, QUESTIONS, TERMS
from test_live_sensitivity import measured as live_measured
from test_topics_sensitivity import PLANS, Recording, crowd, epoch_of, measured

import replay
from live_queries import policy as live_policy
from live_queries import terms_of
from sfumato.model.guarantee import NANO
from sfumato.planning import allowance
from sfumato.privacy import accounting, mechanisms
from sfumato.topics import layout


def composed(ran):
    """(rho, delta) by OpenDP's maps, exactly, in nano units; OpenDP's Gaussian and threshold maps are asked anew."""
    rho = delta = Fraction(0)
    for one in ran:
        rho += mechanisms.gaussian_rho(scale=one.sigma, l2=one.l2)
        if one.threshold is not None:
            lowest = one.threshold - 2  # the floor of three users lies below it
            cost = mechanisms.selection_cost(scale=one.sigma, threshold=lowest, l0=one.l0, linf=int(one.linf))
            delta += cost[1]
    return rho * NANO, delta * NANO


def holds(ran, *, rho, delta):
    cost_rho, cost_delta = composed(ran)
    charged = sum(one.rho for one in ran), sum(one.delta for one in ran)
    return cost_rho <= charged[0] <= rho and cost_delta <= charged[1] <= delta


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_a_discovery_costs_no_more_than_its_charge(plan):
    ran, _ = measured(epoch_of(crowd(0, 60)), plan, Recording())
    assert len(ran) > 8
    assert holds(ran, rho=plan.rho, delta=plan.delta)


@pytest.mark.parametrize("plan", DECLARED_PLANS, ids=range(len(DECLARED_PLANS)))
def test_a_declared_tree_costs_no_more_than_its_charge(plan, monkeypatch):
    monkeypatch.setattr(layout, "positions", lambda vectors: np.zeros((len(vectors), 2)))
    ran, _ = declared_measured(declared_crowd(0, 60), plan, replay.Recording(), columns=3)
    assert holds(ran, rho=plan.rho, delta=plan.delta)


@pytest.mark.parametrize("question", QUESTIONS[:10], ids=range(10))
def test_a_live_answer_costs_no_more_than_its_charge(question):
    ran, _ = live_measured(CROWD, question, replay.Recording())
    assert holds(ran, rho=TERMS.rho, delta=0)


def test_half_of_the_noise_would_cost_more_than_its_charge(monkeypatch):
    """The check can fail: a scale of half the size costs four times the rho."""
    scale = mechanisms.gaussian_scale
    monkeypatch.setattr(mechanisms, "gaussian_scale", lambda *, rho, l2: scale(rho=rho, l2=l2) / 2)
    monkeypatch.setattr("sfumato.privacy.measure.Measurer._charge", lambda *_: None)
    ran, _ = measured(epoch_of(crowd(0, 60)), PLANS[0], Recording())
    assert not holds(ran, rho=PLANS[0].rho, delta=PLANS[0].delta)


@settings(max_examples=20, deadline=None)
@given(
    epsilon=st.sampled_from([0.5, 2.0, 8.0]), delta=st.sampled_from([1e-8, 1e-5]),
    release=st.integers(1, 99),
)  # fmt: skip
def test_release_and_all_questions_of_an_epoch_stay_within_its_epsilon_and_delta(epsilon, delta, release):
    """Charges are whole numbers rounded down: all caps used up together imply no more than the policy states."""
    whole = allowance(epsilon, delta)
    share = Fraction(release, 100)
    spent = int(whole.rho * share) + int(whole.rho * (1 - share))
    assert spent <= whole.rho
    stated = accounting.stated(
        rho=spent, selection_delta=whole.selection_delta, conversion_delta=whole.conversion_delta
    )
    assert stated[0] <= epsilon
    assert whole.conversion_delta + Fraction(whole.selection_delta, NANO) == Fraction(repr(delta))


def test_one_analysts_questions_stay_within_the_epsilon_of_their_share():
    priced = terms_of(live_policy())
    many = priced.analyst_rho // priced.rho
    epsilon, _ = accounting.stated(
        rho=many * priced.rho, selection_delta=0, conversion_delta=priced.plan.conversion_delta
    )
    assert many > 1
    assert epsilon <= live_policy().queries.per_analyst.epsilon
