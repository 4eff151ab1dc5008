"""Contradictions and bad sense in a policy that loads: findings with a rule, a field and what to do about it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from sfumato.policy import deployed, lint_models
from sfumato.policy.decide import AVERAGED, NOISE_FLOOR
from sfumato.policy.directions import hours
from sfumato.policy.figures import Z95
from sfumato.policy.finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sfumato.policy.figures import Forecast
    from sfumato.policy.finding import Circumstances, Finding
    from sfumato.policy.schema import Policy

MOST_EPSILON = 10.0  # e^10 = 22,026: from there on a bound on odds says little about one person
SOON = timedelta(days=30)
HOURS = {"day": 24, "week": 7 * 24, "month": 31 * 24, "quarter": 92 * 24, "year": 366 * 24}


def lint(policy: Policy, figures: Forecast, circumstances: Circumstances) -> tuple[Finding, ...]:
    """All findings, errors first."""
    found = [finding for rule in RULES for finding in rule(policy, figures, circumstances)]
    return tuple(sorted(found, key=lambda finding: finding.severity))


def _noise(policy: Policy, figures: Forecast, _: Circumstances) -> Iterator[Finding]:
    floor, leaf = policy.thresholds.min_users, figures.levels[0]
    low, high = math.ceil(Z95 * leaf.low), math.ceil(Z95 * leaf.high)
    rule, field = "threshold-below-noise", "thresholds.min_users"
    if floor < low:
        told = f"{floor} is below the noise of a leaf topic, {low} to {high} users (95 %): empty topics would be shown"
        yield error(rule, field, f"{told}; raise it to {high}, or raise epsilon")
    elif floor < high:
        told = f"{floor} is below the noise of a leaf topic where people touch many, {high} users (95 %)"
        yield warning(rule, field, f"{told}; raise it to {high}, or raise epsilon")


def _epsilon(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    epsilon, yearly = policy.guarantee.budget.epsilon, policy.guarantee.yearly.epsilon
    kind, above = deployed.of_our_kind(), deployed.at_least(epsilon)
    rule, field = "epsilon-above-practice", "guarantee.budget.epsilon"
    names = "; ".join(f"{system.name} {system.epsilon:g} per {system.unit}" for system in above)
    common = f"of {len(kind)} deployed systems {len(above)} spend as much or more ({names or 'none'})"
    if epsilon > MOST_EPSILON:
        yield error(rule, field, f"{epsilon:g} promises next to nothing; {common}")
    elif 2 * len(above) < len(kind):
        yield warning(rule, field, f"{epsilon:g} is above common practice: {common}")
    if yearly > MOST_EPSILON:
        told = f"{yearly:g} for one {policy.unit}'s year is more than {MOST_EPSILON:g}: a bound that says little"
        yield warning("yearly-epsilon-high", "guarantee.yearly.epsilon", told)


def _delta(policy: Policy, _: Forecast, told: Circumstances) -> Iterator[Finding]:
    rule, most = "delta-too-large", 0.1 / told.users
    for field, delta in (
        ("guarantee.budget.delta", policy.guarantee.budget.delta),
        ("guarantee.yearly.delta", policy.guarantee.yearly.delta),
    ):
        if delta >= 1 / told.users:
            why = f"{delta:g} would allow one of {told.users:,} users to be published outright"
            yield error(rule, field, f"{why}; stay below {most:.1g}")
        elif delta > most:
            yield warning(
                rule, field, f"{delta:g} is more than a tenth of one in {told.users:,}; stay below {most:.1g}"
            )


def _fineness(policy: Policy, figures: Forecast, told: Circumstances) -> Iterator[Finding]:
    for facet in figures.facets:
        floor = max(policy.thresholds.min_users, math.ceil(NOISE_FLOOR * facet.overall.low))
        values = facet.values or 0  # not known without the file of its taxonomy
        needed = values * floor
        if needed > told.users:
            why = f"{values:,} values of {floor} users each need {needed:,} users, and {told.users:,} are expected"
            yield warning("facet-too-fine", f"facets.{facet.name}", f"{why}: most values will be withheld")


def _year(policy: Policy, figures: Forecast, _: Circumstances) -> Iterator[Finding]:
    paid, needed = figures.epochs_paid, figures.epochs_in_year
    if paid < needed:
        why = f"pays for {paid} of the year's {needed} {policy.epoch}s"
        advice = "raise the yearly cap, lower the epoch's budget, or take longer epochs"
        yield warning("year-ends-early", "guarantee.yearly", f"{why}; {advice}")


def _queries(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    asks = {role for role, granted in policy.access if "queries" in granted}
    rule, section = "queries-idle", policy.queries
    if not section.live:
        if policy.guarantee.budget.queries > 0:
            why = "a share is kept for live questions, which queries.live does not allow; releases get less for nothing"
            yield warning(rule, "guarantee.budget.queries", why)
        if asks:
            yield warning(rule, "access", "a role may ask live questions, which queries.live does not allow")
        return
    if not asks:
        yield warning(rule, "access", "live questions are answered, and no role may ask any; grant `queries` to one")
    if section.per_analyst.epsilon < section.epsilon_per_query:
        why = f"{section.per_analyst.epsilon:g} pays for no question: each costs {section.epsilon_per_query:g}"
        yield error("question-beyond-analyst", "queries.per_analyst.epsilon", why)
    if "mean" in section.measures and not any(
        facet.kind in AVERAGED and facet.name in section.group_by for facet in policy.facets
    ):
        why = "means may be asked for, and no facet of group_by is a scale or a number"
        yield warning("nothing-to-average", "queries.measures", why)


def _bounds(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    limits, bounds = policy.thresholds, policy.contributions
    if limits.min_conversations < limits.min_users:
        why = f"every user has a conversation, so {limits.min_conversations} decides nothing"
        yield warning("threshold-without-effect", "thresholds.min_conversations", f"{why} beside min_users")
    if policy.unit == "user" and bounds.topics_per_user > bounds.conversations_per_user:
        why = f"with {bounds.conversations_per_user} conversations nobody touches {bounds.topics_per_user} topics"
        yield warning("bound-without-effect", "contributions.topics_per_user", why)
    if policy.unit == "user" and policy.input.user_id == policy.input.conversation_id:
        why = "the user is read from the conversation's id: the unit would be the conversation under another name"
        yield error("user-is-conversation", "input.user_id", why)


def _access(policy: Policy, _: Forecast, told: Circumstances) -> Iterator[Finding]:
    granted = dict(policy.access)
    if not any("releases" in operations for operations in granted.values()):
        yield warning("nobody-reads", "access", "no role may read releases")
    for role, operations in granted.items():
        if told.held is not None and operations and role not in told.held:
            yield warning(
                "role-without-holder",
                f"access.{role}",
                "nobody holds a living API key of this role; drop the role or issue one",
            )


def _retention(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    kept, epoch = policy.retention, HOURS[policy.epoch]
    if hours(kept.raw_ttl) > hours(kept.derived_ttl):
        yield error(
            "raw-outlives-derived",
            "retention.raw_ttl",
            f"raw text may live {kept.raw_ttl}, what is drawn from it only {kept.derived_ttl}",
        )
    if hours(kept.raw_ttl) > epoch:
        yield warning(
            "raw-outlives-epoch",
            "retention.raw_ttl",
            f"{kept.raw_ttl} is longer than an epoch: raw text is of no use once its epoch is over",
        )
    if hours(kept.derived_ttl) < epoch:
        yield warning(
            "derived-shorter-than-epoch",
            "retention.derived_ttl",
            f"{kept.derived_ttl} is shorter than a {policy.epoch}: what came first is gone before the release",
        )
    if kept.raw_key == "memory" and policy.extraction.batch:
        yield warning(
            "memory-key-and-batches",
            "retention.raw_key",
            "batches take hours, and a crash meanwhile loses all raw text; set extraction.batch to false",
        )
    if kept.derived == "keep_until_ttl" and not policy.queries.live:
        yield warning(
            "derived-outlives-release",
            "retention.derived",
            "extracts are kept though only live questions would read them after the release; discard_after_release",
        )


def _overrides(policy: Policy, _: Forecast, told: Circumstances) -> Iterator[Finding]:
    for override in policy.override:
        if override.expires - told.today <= SOON:
            yield warning(
                "override-ends-soon",
                "override",
                f"leave for {override.field} ends on {override.expires}; from the next day the policy is refused",
            )


RULES: tuple[Callable[[Policy, Forecast, Circumstances], Iterator[Finding]], ...] = (
    _noise, _epsilon, _delta, _fineness, _year, _queries, _bounds, _access, _retention, _overrides,
    *lint_models.RULES,
)  # fmt: skip
