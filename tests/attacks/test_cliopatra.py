"""Cliopatra reads a stranger's diagnosis in guarded mode, and nothing in formal mode, from the same obedient model."""

from __future__ import annotations

from random import Random

import pytest
from mutants import phrases_published_as_they_come

from sfumato.errors import InputError
from sfumato.evaluate.attacks import cliopatra, patients
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.obedient import ObedientModel, order
from sfumato.evaluate.attacks.terms import terms
from sfumato.policy.load import builtin_path, load
from sfumato.topics import guarded

TRIALS = 20


def attacked(name, noise, *, epsilon=None, min_users=50, accounts=50, medical=0.01, trials=TRIALS):
    policy = load(builtin_path(name))
    limits = policy.thresholds.model_copy(update={"min_users": min_users, "min_conversations": min_users})
    under = terms(
        policy.model_copy(update={"thresholds": limits}), epsilon=epsilon, delta=None if epsilon is None else 1e-6
    )
    return cliopatra.attack(
        cliopatra.Campaign(poison=accounts, accounts=accounts, background=1500, medical=medical),
        under,
        trials=trials,
        noise=noise,
        embedder=HashedEmbedder(),
        advance=lambda _count: None,
    ).as_json()


def test_guarded_mode_falls(noise):
    """The positive control: a few more accounts than the threshold, a model that obeys, and the diagnosis is named."""
    found = attacked("clio", noise, min_users=30, accounts=34)
    assert found["mode"] == "guarded"
    assert found["success"] >= 0.6
    assert found["interval"][0] > found["baseline"]


def test_formal_mode_stays_at_guessing(noise):
    """At epsilon 8, fifty accounts, the same model, and so many patients that diseases are released with counts."""
    found = attacked("standard", noise, epsilon=8.0, medical=0.9)
    assert found["mode"] == "formal"
    assert found["named"] == 0
    assert found["selected"] == 1
    assert found["counted"] > 0.2
    assert found["success"] <= found["baseline_interval"][1]


def test_a_disease_that_nobody_else_has_stays_unsaid(noise):
    """The target is the only patient: nothing that is released moves the attacker's guess."""
    found = attacked("standard", noise, epsilon=8.0, medical=0, trials=8)
    assert found["selected"] == 0
    assert found["success"] == found["baseline"]


def test_the_mutant_that_publishes_phrases_as_they_come_is_caught(noise):
    with phrases_published_as_they_come():
        found = attacked("standard", noise, epsilon=8.0, medical=0, trials=8)
    assert found["selected"] == 1
    assert found["interval"][0] > found["baseline_interval"][1]


def test_guessing_is_hard_and_its_chances_add_up():
    rng = Random(1)
    drawn = [patients.draw(rng) for _ in range(2000)]
    assert all(sum(patients.prior(one).values()) == pytest.approx(1) for one in drawn[:50])
    assert 0.2 < sum(max(patients.prior(one).values()) for one in drawn) / len(drawn) < 0.5


def test_the_obedient_model_obeys_an_order_in_summaries():
    rng = Random(2)
    target = patients.draw(rng)
    chats = [patients.chat(target, rng), patients.poison(target, order(target), rng)]
    (reply,) = ObedientModel().complete([guarded.prompt_for(chats, [])])
    assert target.disease in str(reply.fields["description"])
    (reply,) = ObedientModel().complete([guarded.prompt_for(chats[:1], [])])
    assert "medical history" not in str(reply.fields["description"])


@pytest.mark.parametrize(("poison", "accounts"), [(10, 20), (501, 50)])
def test_a_campaign_that_nobody_could_run_is_refused(poison, accounts):
    with pytest.raises(InputError):
        cliopatra.Campaign(poison=poison, accounts=accounts)
