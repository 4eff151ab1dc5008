"""Sybil: how many fake accounts lift a phrase over its threshold, and what one real user more then shows.

The attacker's accounts all say a phrase that one real user may also say; they see whether it is published. Fake
accounts can publish what they like: that is no secret. What differential privacy bounds is the difference that the one
real user makes, however many accounts there are. In guarded mode the threshold is exact, and one account too few makes
that difference certain.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from sfumato.evaluate.attacks.report import Control, Outcome, interval
from sfumato.evaluate.attacks.transcript import InProcess
from sfumato.policy import decide
from sfumato.privacy import accounting
from sfumato.privacy.measure import Measurer
from sfumato.topics.discover import PHRASES_BEYOND
from sfumato.topics.vocabulary import FLOOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.strict_json import Json
    from sfumato.privacy.measure import Selected
    from sfumato.privacy.noise import NoiseSource

KNOWS = "the threshold and the noise's scale; who else says the phrase: nobody; as many accounts as they like"
EXACT = "the exact thresholds of guarded mode, one account too few"
CURVE = (0.5, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5)  # of the threshold


def attack(
    under: Terms,
    *,
    accounts: int | None = None,
    trials: int,
    advance: Callable[[int], None],
    noise: NoiseSource | None = None,
) -> Outcome:
    """Success: the phrase is published with the real user there. Baseline: the same accounts without them.

    accounts: left out, one less than the threshold. A conversation a user is supposed, as the crowd has.

    Raises:
        Refused: the policy declares its topics.
    """
    under.must_discover()
    if under.plan.mode == "guarded":
        return _guarded(under, accounts, trials)
    race = _Race(under, noise or InProcess())
    fake = race.threshold - 1 if accounts is None else accounts
    alone, joined = race.published(fake, trials), race.published(fake + 1, trials)
    curve: list[Json] = []
    for share in CURVE:
        count = max(1, round(share * race.threshold))
        curve.append(
            {
                "accounts": count,
                "measured": race.published(count, trials) / trials,
                "formal": round(race.formal(count), 4),
            }
        )
        advance(1)
    return Outcome(
        attack="sybil",
        knows=KNOWS,
        hits=joined,
        trials=trials,
        baseline=alone / trials,
        epsilon=race.epsilon,
        delta=race.delta,
        mode=under.plan.mode,
        control=Control(what=EXACT, success=float(_exact(under, None)[1] and not _exact(under, None)[0])),
        details={
            "accounts": fake,
            "baseline_interval": interval(alone, trials),
            "formal": [round(race.formal(fake), 4), round(race.formal(fake + 1), 4)],
            "most_allowed": round(min(1.0, math.exp(race.epsilon) * race.formal(fake) + race.delta), 4),
            "threshold": race.threshold,
            "sigma": round(race.sigma, 3),
            "curve": curve,
        },
    )


class _Race:
    """One phrase before the vocabulary's selection, at the charge that a release gives it."""

    def __init__(self, under: Terms, noise: NoiseSource) -> None:
        plan = under.plan
        self._noise, self._delta = noise, plan.delta
        self._rho = plan.topics.charges([facet.name for facet in plan.facets])["vocabulary"]
        self._l0 = min(plan.topics.phrases_per_user, PHRASES_BEYOND + 1)
        found = self._select(0)
        self.threshold, self.sigma = found.threshold, found.sigma
        self.epsilon, self.delta = accounting.stated(
            rho=self._rho, selection_delta=plan.delta, conversion_delta=plan.conversion_delta
        )

    def published(self, holders: int, times: int) -> int:
        """How often a phrase of so many holders comes out; each time a phrase of its own, all in one selection."""
        return len(self._select(times, holders).counts)

    def formal(self, holders: int) -> float:
        """The same by the Gaussian's tail; a phrase of too few holders never reaches the mechanism."""
        return 0.0 if holders < FLOOR else 1 - NormalDist(holders, self.sigma).cdf(self.threshold - 0.5)

    def _select(self, times: int, holders: int = 1) -> Selected:
        measurer = Measurer(self._noise, rho=self._rho, delta=self._delta)
        return measurer.select(
            "vocabulary", dict.fromkeys(range(times), holders), rho=self._rho, delta=self._delta, l0=self._l0,
            floor=FLOOR, statistic="units proposing a phrase",
        )  # fmt: skip


def _exact(under: Terms, accounts: int | None) -> tuple[bool, bool, int]:
    """Whether a topic of the fake accounts is shown by exact thresholds without and with the real user; how many."""
    limits = under.policy.thresholds
    fake = max(limits.min_users, limits.min_conversations) - 1 if accounts is None else accounts
    without, joined = (
        decide.release_topic(limits, users=users, conversations=users).allowed for users in (fake, fake + 1)
    )
    return without, joined, fake


def _guarded(under: Terms, accounts: int | None, trials: int) -> Outcome:
    """Exact thresholds: nothing is drawn, so every trial goes alike."""
    without, joined, fake = _exact(under, accounts)
    return Outcome(
        attack="sybil",
        knows=KNOWS,
        hits=trials * joined,
        trials=trials,
        baseline=float(without),
        epsilon=under.policy.guarantee.budget.epsilon,
        delta=under.policy.guarantee.budget.delta,
        mode="guarded",
        control=Control(what=EXACT, success=float(joined and not without)),
        details={"accounts": fake, "threshold": under.policy.thresholds.min_users},
    )
