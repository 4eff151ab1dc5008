"""Asking again, asking otherwise, failing on purpose: nothing is answered twice, and no error gives budget back."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from mutants import answers_kept_without_the_policy, no_noise, refund_on_error

from gateways import policy
from sfumato.errors import BudgetExhausted
from sfumato.evaluate.attacks import averaging, differencing
from sfumato.evaluate.attacks.rehearsal import Deployment, records
from sfumato.evaluate.attacks.terms import terms
from sfumato.gate.door import Door


def quiet(_count):
    pass


def test_asking_again_gives_the_same_bytes_and_one_charge(under, noise):
    found = averaging.attack(under, trials=2, repeats=5, noise=noise, advance=quiet).as_json()
    assert found["variance"] == 0
    assert found["charges"] == 1
    assert found["success"] == found["baseline"]


def test_no_second_release_of_the_same_people_is_had(under, noise):
    """Other thresholds, another number of topics, a week of the month: all refused, and nothing is overspent."""
    found = differencing.between_releases(under, noise=noise)
    assert found == {"attempts": 5, "refused": 4, "releases": 1, "overspent": False, "mismatched": 0}


def test_the_mutant_that_keeps_answers_without_the_policy_is_caught(under, noise):
    with answers_kept_without_the_policy():
        found = differencing.between_releases(under, noise=noise)
    assert found["mismatched"] > 0


def failed_then_asked_again(data, noise, failing):
    """A release fails after its noise was drawn; the attacker asks once more."""
    deployment, asked = Deployment(data=data, noise=noise), policy()
    with patch.object(Door, "release", side_effect=failing), pytest.raises(type(failing)):
        deployment.release(asked, records(60))
    return deployment.release(asked, records(60))


def test_an_error_after_noise_was_drawn_gives_nothing_back(tmp_path, noise):
    with pytest.raises(BudgetExhausted):
        failed_then_asked_again(tmp_path, noise, RuntimeError())


def test_the_mutant_that_refunds_on_error_is_caught(tmp_path, noise):
    """With it the attacker gets a second look, paid for by nobody: the test above would fail."""
    with refund_on_error():
        assert failed_then_asked_again(tmp_path, noise, RuntimeError())["id"]


def subtracted(noise):
    """At an epsilon so small that telling 24 releases right, all of them, would be more than it allows."""
    under = terms(policy(), epsilon=1.0, delta=1e-5)
    return differencing.attack(under, trials=48, noise=noise, advance=quiet).as_json()


def test_subtracting_parts_of_a_release_tells_no_more_than_its_epsilon(noise):
    found = subtracted(noise)
    assert found["interval"][0] <= found["most_allowed"]
    assert found["epsilon_lower"] <= found["epsilon"]


def test_exact_parts_are_told_apart_by_subtraction(noise):
    with no_noise():
        found = subtracted(noise)
    assert found["interval"][0] > found["most_allowed"]
