"""Live questions: all that the budget buys rebuilds nobody, differences say what they cost, forms say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mutants import answers_kept_without_the_policy, no_noise

from sfumato.evaluate.attacks import asked, live_site, reconstruction
from sfumato.evaluate.attacks.reconstruction import Heard, solved
from sfumato.evaluate.attacks.terms import terms
from sfumato.policy.load import parse

FEW_QUESTIONS = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: questioned}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 4.0, delta: 1.0e-5, release: 0.5, queries: 0.5}
  yearly: {epsilon: 4.0, delta: 1.0e-5}
thresholds: {min_users: 30, min_conversations: 30}
retention: {derived: keep_until_ttl}
queries: {live: true, epsilon_per_query: 0.5, per_analyst: {epsilon: 1.0}, most_per_minute: 6000}
access: {analyst: [queries]}
"""


@pytest.fixture
def questioned():
    return parse(FEW_QUESTIONS)


def quiet(_count):
    pass


def rebuilt(noise):
    """What all cheap questions of a budget tell, and what bits may be told: five deviations of a fair guess above."""
    policy = parse(FEW_QUESTIONS.replace("epsilon_per_query: 0.5", "epsilon_per_query: 0.15"))
    found = reconstruction.attack(terms_with_questions(policy), trials=1, noise=noise, advance=quiet).as_json()
    return found, found["most_allowed"] + 5 * math.sqrt(0.25 / found["trials"])


def test_all_questions_that_the_budget_buys_tell_bits_no_better_than_their_rho_allows(noise):
    found, most = rebuilt(noise)
    assert found["questions"] > 150
    assert found["answered"] > 100
    assert found["control"]["success"] > 0.95
    assert found["epsilon"] <= 4.0
    assert found["success"] <= most


def test_the_same_questions_without_noise_rebuild_more_than_their_rho_would_allow(noise):
    with no_noise():
        found, most = rebuilt(noise)
    assert found["success"] > most


def terms_with_questions(policy):
    """`terms` gives the whole budget to the release, which these attacks leave as the policy has it."""
    found = terms(policy)
    return type(found)(policy=policy, plan=found.plan)


def test_the_solver_rebuilds_bits_from_exact_sums_and_nothing_from_none():
    draw = np.random.default_rng(3)
    bits = draw.random(60) < 0.5
    whom = (draw.random((120, 60)) < 0.5).astype(float)
    assert (solved(Heard(asked=whom, answers=whom @ bits), variance=1e-3) == bits).all()
    assert not solved(Heard(asked=whom[:0], answers=np.zeros(0)), variance=1.0).any()


def test_two_questions_that_differ_by_one_person_tell_no_more_than_both_cost(questioned):
    found = asked.between_questions(questioned)
    assert found["without_noise"] == 1
    assert found["epsilon_lower"] <= found["epsilon"]
    assert found["success"] <= found["most_allowed"] + 5 * math.sqrt(0.25 / 200)


def test_status_size_and_order_of_answers_owe_nothing_to_anybody(questioned, noise):
    assert not asked.form_of_answers(questioned, noise=noise)["told_apart"]


def kept_as(policy, min_users):
    """What the ledger knows a question by, under the policy with this threshold."""
    limits = policy.thresholds.model_copy(update={"min_users": min_users})
    priced = live_site.terms(live_site.questioned(policy.model_copy(update={"thresholds": limits})))
    everybody = live_site.how_many({"mark_a": np.arange(12, dtype=np.int16)})
    return priced.digest(live_site.frame(priced).read(everybody))


def test_a_live_answer_is_kept_for_its_own_policy_alone(questioned):
    assert kept_as(questioned, 30) == kept_as(questioned, 30)
    assert kept_as(questioned, 30) != kept_as(questioned, 31)


def test_the_mutant_that_keeps_live_answers_without_the_policy_is_caught(questioned):
    """With it an answer under one threshold is given out under another: the test above would fail."""
    with answers_kept_without_the_policy():
        assert kept_as(questioned, 30) == kept_as(questioned, 31)
