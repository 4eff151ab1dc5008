"""Averaging: the same question asked again and again, in the hope that fresh noise averages out.

The attacker may ask for the release as often as they like, and may change what does not change the question (owner,
description, who may read). They average the published number of users and round it.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.rehearsal import Deployment, must_ask_no_model, records
from sfumato.evaluate.attacks.report import Control, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.strict_json import JsonObject
    from sfumato.privacy.noise import OpenDPNoise

USERS = 300
KNOWS = "nothing but an API key: any number of requests, worded in any way that asks the same"
FRESH_DRAWS, FRESH_TRIALS = 1_000_000, 20


def attack(under: Terms, *, trials: int, repeats: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Each trial: a new deployment, asked `repeats` times. Success: the average is the true number of users.

    Guessing is one answer alone, which is right now and then by chance.

    Raises:
        Refused: the policy names a model.
    """
    must_ask_no_model(under.policy)
    hits = guesses = 0
    spread, charges = 0.0, 0
    stated: JsonObject = {}
    for _ in range(trials):
        answers, stated, charged = _asked(under, repeats, noise)
        hits += round(statistics.fmean(answers)) == USERS
        guesses += answers[0] == USERS
        spread, charges = max(spread, statistics.pvariance(answers)), max(charges, charged)
        advance(1)
    return Outcome(
        attack="averaging",
        knows=KNOWS,
        hits=hits,
        trials=trials,
        baseline=guesses / trials,
        epsilon=float(str(stated["epsilon"])),
        delta=float(str(stated["delta"])),
        mode=under.plan.mode,
        control=Control(what=f"{FRESH_DRAWS:,} answers with fresh noise each", success=_fresh(stated)),
        details={"repeats": repeats, "variance": spread, "charges": charges},
    )


def _asked(under: Terms, repeats: int, noise: OpenDPNoise) -> tuple[list[float], JsonObject, int]:
    """Published totals of every repeat, the guarantee they state, and how many charges the ledger holds."""
    everybody, answers = records(USERS), []
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(data=Path(folder), noise=noise, files=under.files)
        for number in range(repeats):
            labelled = under.policy.metadata.model_copy(update={"description": f"asked for the {number}. time"})
            found = deployment.release(under.policy.model_copy(update={"metadata": labelled}), everybody)
            answers.append(_users(found))
        guarantee = found["guarantee"]
        return answers, guarantee if isinstance(guarantee, dict) else {}, len(deployment.entries())


def _fresh(stated: JsonObject) -> float:
    """The same attack on an answerer without a memory: every answer has noise of its own, as large as the release's."""
    mechanisms = stated["mechanisms"]
    held = mechanisms if isinstance(mechanisms, list) else []
    sigma = next(
        math.sqrt(float(str(one["values"]))) * float(str(one["sigma"]))
        for one in held
        if isinstance(one, dict) and one["name"] == "people"
    )
    draw = np.random.default_rng()
    means = [USERS + draw.normal(0, sigma, FRESH_DRAWS).mean() for _ in range(FRESH_TRIALS)]
    return sum(round(float(mean)) == USERS for mean in means) / FRESH_TRIALS


def _users(document: JsonObject) -> float:
    totals = document["totals"]
    users = totals["users"] if isinstance(totals, dict) else None
    return float(str(users["value"])) if isinstance(users, dict) else 0.0
