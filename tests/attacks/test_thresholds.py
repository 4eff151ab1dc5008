"""What a threshold lets through tells of one user no more than its noise allows; an exact one tells all."""

from __future__ import annotations

import math

from mutants import no_noise

from gateways import policy
from sfumato.evaluate.attacks import oracle, sybil
from sfumato.evaluate.attacks.terms import terms
from sfumato.policy.load import builtin_path, load


def quiet(_count):
    pass


def test_one_user_beside_fake_accounts_changes_little_and_the_curve_is_the_gaussians(under):
    found = sybil.attack(under, trials=2000, advance=quiet).as_json()
    before, after = found["formal"]
    assert abs(found["success"] - after) < 5 * math.sqrt(0.25 / 2000)
    assert abs(found["baseline"] - before) < 5 * math.sqrt(0.25 / 2000)
    assert all(abs(point["measured"] - point["formal"]) < 0.06 for point in found["curve"])
    assert after - before < 0.1  # one real user beside accounts that are one too few


def test_enough_accounts_publish_what_they_like(under):
    threshold = sybil.attack(under, trials=2, advance=quiet).as_json()["threshold"]
    found = sybil.attack(under, accounts=2 * threshold, trials=50, advance=quiet).as_json()
    assert found["success"] == found["baseline"] == 1


def test_in_guarded_mode_the_last_account_makes_one_user_certain():
    """The positive control: exact thresholds tell whether one more user was there."""
    found = sybil.attack(terms(load(builtin_path("clio"))), trials=10, advance=quiet).as_json()
    assert (found["success"], found["baseline"], found["mode"]) == (1, 0, "guarded")


def looked_at(noise):
    """At an epsilon so small that telling 24 releases right, all of them, would be more than it allows."""
    return oracle.attack(terms(policy(), epsilon=1.0, delta=1e-5), trials=48, noise=noise, advance=quiet).as_json()


def test_presence_order_and_size_of_a_release_tell_no_more_than_its_epsilon(noise):
    found = looked_at(noise)
    assert found["interval"][0] <= found["most_allowed"]
    assert found["epsilon_lower"] <= found["epsilon"]


def test_exact_counts_under_the_same_thresholds_are_told_apart(noise):
    with no_noise():
        found = looked_at(noise)
    assert found["interval"][0] > found["most_allowed"]
