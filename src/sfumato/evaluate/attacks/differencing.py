"""Differencing: two releases, or two parts of one, subtracted so that one user is left.

Within a release the attacker takes children from parents, levels from totals and facets from their sums, knowing
everybody but the target. Between releases they change the policy, or name an epoch that shares days with a released
one; what they get, if anything, has to stay within what the ledger allows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import BudgetExhausted, Refused
from sfumato.evaluate.attacks import asked, membership
from sfumato.evaluate.attacks.crowd import FACETS
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.lower_bound import best_accuracy, bounds
from sfumato.evaluate.attacks.rehearsal import EPOCH, Deployment, must_ask_no_model, records
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.evaluate.attacks.telling_apart import FEWEST, told_apart
from sfumato.evaluate.attacks.transcript import InProcess, NoNoise
from sfumato.privacy import accounting
from sfumato.privacy.measure import Measurer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.strict_json import JsonObject
    from sfumato.policy.schema import Policy
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.noise import NoiseSource, OpenDPNoise
    from sfumato.topics.tree import TopicTree

KNOWS = "everybody but the target, exactly; every number of the releases; may change the policy and name other epochs"
LEAVES = 6
USERS = 200
LEVELS = 3


def attack(under: Terms, *, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Half of the trials train the rule, half are told by it: was the target in the epoch?

    Raises:
        Refused: the policy is guarded, or names a model.
    """
    under.must_be_formal()
    must_ask_no_model(under.policy)
    game = membership.game_of("discover", under)
    seen = []
    for epoch in (game.out, game.within):
        rows = []
        for _ in range(trials // 2):
            rows.append(_differences(_tree(game, epoch, InProcess())))
            advance(1)
        seen.append(np.asarray(rows))
    errors = told_apart(seen[0], seen[1])
    claim, delta = accounting.stated(
        rho=game.rho, selection_delta=game.delta, conversion_delta=under.plan.conversion_delta
    )
    return Outcome(
        attack="differencing",
        knows=KNOWS,
        hits=errors.right,
        trials=errors.runs,
        baseline=0.5,
        epsilon=claim,
        delta=delta,
        mode=under.plan.mode,
        control=Control(what="the same subtractions without noise", success=_without_noise(game)),
        details={
            **bounds(errors, delta=delta),
            "most_allowed": round(best_accuracy(claim, delta), 4),
            **between_releases(under, noise=noise),
            "two_questions": asked.between_questions(under.policy),
        },
    )


def between_releases(under: Terms, *, noise: OpenDPNoise) -> JsonObject:
    """What a second release yields under other policies, and under an epoch that shares days with the first.

    overspent: whether the ledger holds more than the epoch's budget. mismatched: releases that answer under one policy
    what was asked under another.

    Raises:
        Refused: not even the first release is made, so that nothing would have been defended.
    """
    policy, everybody, refused, mismatched = under.policy, records(USERS), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(data=Path(folder), noise=noise, files=under.files)
        got = {str(deployment.release(policy, everybody)["id"])}
        others = [*((other, EPOCH) for other in _others(policy)), (_weekly(policy), "2026-W02")]
        for changed, epoch in others:
            people = everybody if epoch == EPOCH else everybody[1:]
            try:
                document = deployment.release(changed, people, epoch=epoch)
            except (BudgetExhausted, Refused):
                refused += 1
                continue
            got.add(str(document["id"]))
            mismatched += not _under(document, changed)
        spent = sum(entry.rho for entry in deployment.entries())
    from sfumato.planning import allowance

    most = allowance(policy.guarantee.budget.epsilon, policy.guarantee.budget.delta).rho
    return {
        "attempts": 1 + len(others),
        "refused": refused,
        "releases": len(got),
        "overspent": spent > most,
        "mismatched": mismatched,
    }


def _others(policy: Policy) -> list[Policy]:
    """The same budget and data, another question."""
    limits = policy.thresholds
    return [
        policy.model_copy(update={"thresholds": limits.model_copy(update={"min_users": limits.min_users + more})})
        for more in (1, 2)
    ] + [policy.model_copy(update={"topics": policy.topics.model_copy(update={"leaves": 7})})]


def _weekly(policy: Policy) -> Policy:
    return policy.model_copy(update={"epoch": "week"})


def _under(document: JsonObject, policy: Policy) -> bool:
    """Whether a release is what this policy asks for."""
    from sfumato.policy.load import digest

    held = document["policy"]
    return isinstance(held, dict) and held["digest"] == digest(policy)


def _without_noise(game: membership.Game) -> float:
    """The share told right where every number is exact: all runs of a side are alike, so one is enough."""
    out, within = (_differences(_tree(game, epoch, NoNoise())) for epoch in (game.out, game.within))
    errors = told_apart(*(np.tile(side, (FEWEST, 1)) for side in (out, within)))
    return errors.right / errors.runs


def _tree(game: membership.Game, epoch: BoundedEpoch, noise: NoiseSource) -> TopicTree:
    measurer = Measurer(noise, rho=game.rho, delta=game.delta)
    return membership.topics(epoch, game.under, measurer, embedder=HashedEmbedder(), leaves=LEAVES)


def _differences(tree: TopicTree) -> NDArray[np.float64]:
    """Totals, sums over each level, facets overall and by level, and each less the next."""
    sums = [tree.users.value, tree.conversations.value]
    for level in range(LEVELS):
        nodes = [node for node in tree.topics if node.level == level]
        sums.append(sum(node.users.value for node in nodes))
        sums.append(sum(node.conversations.value for node in nodes))
        sums.extend(sum(value.value for node in nodes for value in node.facets.get(facet, ())) for facet in FACETS)
    sums.extend(sum(value.value for value in tree.facets[facet]) for facet in FACETS)
    found = np.asarray(sums)
    return np.concatenate([found, np.diff(found)])
