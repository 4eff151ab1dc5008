"""No attack on membership shows more epsilon than is claimed; each mutant of the noise shows more, and is caught.

A correct program fails an audit here at most once in a million runs: so sure are the lower bounds.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from mutants import IN_THE_NOISE, IN_THE_WORKERS, NAMED, half_noise, keys_ignored, threshold_run_as_priced
from scipy import stats

from sfumato.evaluate.attacks import lower_bound, membership, pipeline
from sfumato.evaluate.attacks.lower_bound import Errors
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.privacy import mechanisms

DOUBT = 1e-6
SUBTLE = {half_noise: 2000, keys_ignored: 6000}  # runs; what the others do shows in a few hundred


def quiet(_count):
    pass


def audited(level, under, trials):
    return membership.attack(level, under, trials=trials, advance=quiet, doubt=DOUBT).as_json()


def test_the_clopper_pearson_limit_is_scipys():
    for hits, trials in ((0, 10), (3, 10), (10, 10), (120, 1000)):
        exact = 1.0 if hits == trials else float(stats.beta.ppf(0.975, hits + 1, trials - hits))
        assert lower_bound.clopper_pearson_upper(hits, trials, 0.025) == pytest.approx(exact, abs=1e-9)


def test_epsilon_of_a_gaussian_inverts_its_exact_delta():
    for mu in (0.2, 1.0, 3.0):
        epsilon = lower_bound.epsilon_of(mu, 1e-6)
        assert lower_bound.gaussian_delta(epsilon, mu) == pytest.approx(1e-6, rel=1e-6)


def test_the_bound_falls_short_of_the_truth_in_nearly_every_audit():
    """A hundred audits of a Gaussian of known mu: at 95 % confidence few may exceed it."""
    draw = np.random.default_rng(5)
    exceeded = sum(
        lower_bound.bounds(Errors.of(draw.normal(0, 1, 300), draw.normal(1, 1, 300), 0.5), delta=1e-5)["mu_lower"] > 1
        for _ in range(100)
    )
    assert exceeded <= 12


def test_fishers_rule_takes_off_noise_that_two_values_share():
    draw = np.random.default_rng(6)
    shared = draw.normal(0, 5, (200, 1))
    out = np.hstack([shared, shared])
    within = out + np.asarray([1.0, 0.0])
    assert told_apart(out, within).right >= 195


def test_a_single_gaussian_shows_at_least_half_of_what_it_claims_and_not_more(under):
    """Of 20,000 runs the bound lies eleven standard deviations above the half."""
    found = audited("gaussian", under, 20_000)
    assert 0.5 * found["epsilon"] <= found["epsilon_lower"] <= found["epsilon"]


def test_a_thousand_looks_at_the_counts_with_a_canary_and_without_show_no_more_than_is_claimed(under):
    found = audited("counts", under, 2000)
    assert found["epsilon_lower"] <= found["epsilon"]
    assert found["interval"][0] <= found["most_allowed"]
    assert found["control"]["success"] > 0.8


def test_all_measurements_of_a_discovery_together_show_no_more_than_is_claimed(under):
    found = audited("mechanisms", under, 150)
    assert found["questions"] > 10
    assert found["epsilon_lower"] <= found["epsilon"]


def test_the_target_uses_nearly_all_of_the_budget_and_never_more(under):
    """Exact statistics: over all measurements the target moves by sqrt(2 rho) standard deviations at most."""
    game = membership.game_of("mechanisms", under)
    pairs, _ = game.pairs(game.out, membership.InProcess())
    allowed = math.sqrt(2 * game.rho / 1e9)
    moved = math.hypot(*(membership.moved(*pair) for pair in pairs))
    assert 0.8 * allowed <= moved <= allowed * (1 + 1e-9)


def test_whole_discoveries_with_their_adaptive_choices_show_no_more_than_is_claimed(under):
    found = audited("discover", under, 16)
    assert found["trials"] == 16
    assert found["epsilon_lower"] <= found["epsilon"]


def test_the_documents_of_whole_gateways_tell_no_more_than_their_epsilon(under, noise):
    found = pipeline.attack(under, trials=12, noise=noise, advance=quiet).as_json()
    assert found["deployments"] == 12
    assert found["epsilon_lower"] <= found["epsilon"]


def test_every_mutant_that_must_be_caught_has_a_test_of_its_own():
    told = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    tried = {*IN_THE_NOISE, *IN_THE_WORKERS}
    assert all(mutant in tried or f"with {mutant.__name__}()" in told for mutant in NAMED.values())


@pytest.mark.parametrize("mutant", IN_THE_NOISE, ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_the_noise_is_caught(under, mutant):
    """The same audit that passes above fails once the noise is not what is charged."""
    with mutant():
        found = audited("counts", under, SUBTLE.get(mutant, 400))
    assert found["epsilon_lower"] > found["epsilon"]


def singletons(scale, threshold):
    """How many of 40,000 keys of one user each are released."""
    return len(mechanisms.draw_selection(dict.fromkeys(range(40_000), 1), scale, threshold))


def most_singletons(delta):
    """More than this comes by chance once in a million times."""
    return stats.binom.isf(1e-6, 40_000, delta)


def run_selection():
    """(delta claimed by OpenDP's map, singletons released) at a threshold that our own arithmetic chose."""
    threshold = mechanisms.selection_threshold(scale=1.0, delta=2_000_000, l0=1, linf=1)
    _, claimed = mechanisms.selection_cost(scale=1.0, threshold=threshold, l0=1, linf=1)
    return float(claimed), singletons(1.0, threshold)


def test_a_key_of_one_user_comes_out_no_more_often_than_delta():
    claimed, released = run_selection()
    assert released <= most_singletons(claimed)


def test_the_mutant_that_runs_the_threshold_as_priced_is_caught():
    with threshold_run_as_priced():
        claimed, released = run_selection()
    assert released > most_singletons(claimed)
