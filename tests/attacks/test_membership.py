"""No attack on membership shows more epsilon than is claimed; each mutant of the noise shows more, and is caught.

A correct program fails an audit here at most once in a million runs: so sure are the lower bounds.
"""

from __future__ import annotations

import math
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from mutants import (
    IN_THE_NOISE,
    IN_THE_WORKERS,
    NAMED,
    conversations_counted_as_users,
    half_noise,
    keys_ignored,
    threshold_run_as_priced,
)
from scipy import stats

from sfumato import gateway
from sfumato.evaluate.attacks import lower_bound, membership, pipeline, transcript
from sfumato.evaluate.attacks.lower_bound import Errors
from sfumato.evaluate.attacks.rehearsal import Deployment, records
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.evaluate.attacks.transcript import InProcess
from sfumato.model.guarantee import NANO
from sfumato.privacy import mechanisms
from sfumato.privacy.bounds import bound
from sfumato.privacy.noise import OpenDPNoise

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


def part_used(pairs, rho):
    """How far the target moves all questions together, of the sqrt(2 rho) standard deviations that rho (nano) pays."""
    return math.hypot(*(transcript.moved(*pair) for pair in pairs)) / math.sqrt(2 * rho / NANO)


def discovered(under):
    """The part that the target uses in whole discoveries, adaptive choices and all, begun with and without them."""
    game = membership.game_of("discover", under)
    return [part_used(game.pairs(first, InProcess())[0], game.rho) for first in (game.out, game.within) * 3]


def test_in_whole_discoveries_the_target_uses_nearly_all_of_the_budget_and_never_more(under):
    """Exact statistics, not samples: what one user moves is compared with what was paid, question by question."""
    used = discovered(under)
    assert max(used) <= 1 + 1e-9
    assert min(used) > 0.8


@pytest.mark.parametrize("mutant", [keys_ignored, conversations_counted_as_users], ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_the_bounds_moves_discoveries_further_than_is_paid(under, mutant):
    with mutant():
        assert max(discovered(under)) > 1 + 1e-9


def taped(under, noise, folder, people, before=None):
    """A whole deployment of these people; every question that it asks of its noise, and what that answers.

    before: a run whose answers are given again, so that all choices agree.
    """
    names, answers = (before.names, before.said) if before else ({}, ())
    recorder = transcript.Recorder(noise=InProcess(), answers=answers, names=names)

    def bounded(*batches, **limits):
        epoch = bound(*batches, **limits)
        recorder.phrases = epoch.phrases
        return epoch

    with (
        patch.object(gateway, "bound", bounded),
        patch.object(OpenDPNoise, "gaussian", lambda _self, values, scale: recorder.gaussian(values, scale)),
        patch.object(OpenDPNoise, "selection", lambda _self, *asked: recorder.selection(*asked)),
    ):
        document = Deployment(data=folder, noise=noise).release(under.policy, people)
    return recorder, document["guarantee"]


def through_gateways(under, noise, folder):
    """The part of its card's rho that a user of as many conversations as count uses up, from log line to document."""
    others = records(pipeline.USERS)
    everybody = [*others, *pipeline.target(under.plan.topics.conversations_per_user)]
    first, stated = taped(under, noise, folder / "without", others)
    again, same = taped(under, noise, folder / "with", everybody, first)
    assert stated["rho"] == same["rho"]
    assert len(first.questions) > 10
    return part_used(list(zip(first.questions, again.questions, strict=True)), stated["rho"] * NANO)


def test_from_log_line_to_document_a_user_moves_no_more_than_the_card_says(under, noise, tmp_path):
    assert 0.8 < through_gateways(under, noise, tmp_path) <= 1 + 1e-9


@pytest.mark.parametrize("mutant", [keys_ignored, conversations_counted_as_users], ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_the_bounds_moves_a_document_further_than_its_card_says(under, noise, tmp_path, mutant):
    with mutant():
        assert through_gateways(under, noise, tmp_path) > 1 + 1e-9


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
