"""A policy in plain language, for the person who signs it: every sentence follows from a field or a computed figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.policy import explain_models as models
from sfumato.policy.decide import NOISE_FLOOR
from sfumato.policy.figures import interval, reaches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.policy.figures import FacetNoise, Forecast, Noise
    from sfumato.policy.schema import Policy

SIZES = (50, 500, 5_000)
DOES = {
    "releases": "read releases",
    "queries": "ask live questions",
    "audit": "read the audit log",
    "ledger": "read the privacy ledger",
    "ingest": "hand in conversations",
    "policy": "read the policy",
    "keys": "manage keys",
}
NOT_COVERED = (
    "That a log was collected, its name, its epoch and this policy are public.",
    "What is true of a population: a release may teach something about a person that it would teach without them.",
    "A person who writes under several user ids is protected once for each id.",
    "Counts are of bounded contributions, so they can be lower than the truth.",
    "The machine on which the logs lay before, and how long a release took to make.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and its sentences."""

    title: str
    lines: tuple[str, ...]


def explain(policy: Policy, figures: Forecast) -> tuple[Section, ...]:
    """The page, in the order in which a privacy officer asks."""
    parts = (
        ("What is NOT guaranteed here", models.unproved),
        ("What may be learned", _learned),
        ("What may be asked live", _asked),
        ("By whom", _whom),
        ("Who reads conversations", models.readers),
        ("What is asked of each conversation", models.questions),
        ("Who writes names", models.names),
        ("Who judges what is published", models.judges),
        ("What the models may cost", models.money),
        ("Whose presence is hidden", _hidden),
        ("At what cost", _cost),
        ("What is bounded", _bounded),
        ("What is thrown away, and when", _thrown),
        ("How exact the numbers are", _noise),
        ("Which phrases can appear", _phrases),
        ("What is not covered", _uncovered),
        ("What was overridden", _overridden),
    )
    return tuple(Section(title=title, lines=lines) for title, part in parts if (lines := tuple(part(policy, figures))))


def expected(policy: Policy, figures: Forecast) -> list[dict[str, object]]:
    """For topics of 50, 500 and 5,000 users at each level: both 95 % intervals and how probably it is shown."""
    floor = policy.thresholds.min_users
    return [
        {
            "users": users,
            "level": level.name.removesuffix(" users"),
            "interval": list(interval(users, level.high)),
            "interval_one_topic_each": list(interval(users, level.low)),
            "shown": round(reaches(users, level.high, floor), 3),
        }
        for users in SIZES
        for level in figures.levels
    ]


def _learned(policy: Policy, figures: Forecast) -> Iterator[str]:
    yield f"For each {policy.epoch}: a tree of named topics, and how many users and conversations stand behind each."
    by_topic = [facet for facet in figures.facets if facet.leaf is not None]
    facets = ", ".join(_sized(facet) for facet in by_topic)
    yield f"For each topic, how that differs by {facets}." if facets else "No breakdown by anything else."
    whole = ", ".join(_sized(facet) for facet in figures.facets if facet.leaf is None)
    if whole:
        yield f"For the {policy.epoch} as a whole and not by topic: {whole}."
    yield (
        f"Nothing about fewer than {policy.thresholds.min_users} users or {policy.thresholds.min_conversations} "
        "conversations, both by noisy counts."
    )
    if policy.guarantee.mode == "guarded":
        yield "No conversation and no summary is shown to anybody; a name or a description may yet tell what is in one."
    else:
        yield "No conversation, summary or quotation is ever shown to anybody."


def _asked(policy: Policy, _: Forecast) -> Iterator[str]:
    section, budget = policy.queries, policy.guarantee.budget
    if not section.live:
        return
    if any("queries" in granted for _role, granted in policy.access):
        means = {"users": "how many users", "conversations": "how many conversations", "mean": "the mean of a facet"}
        told = ", ".join(means[measure] for measure in section.measures)
        yield f"Of a released {policy.epoch}: {told}; broken down and filtered by {_names(section.group_by)}."
    else:
        yield "Nothing: no role may ask."
    yield (
        f"Each question about a {policy.epoch} costs epsilon {section.epsilon_per_query:g} by itself, before it is "
        f"answered; all of them together {100 * budget.queries:g} % of the {policy.epoch}'s budget, those of one API "
        f"key epsilon {section.per_analyst.epsilon:g}. When it is spent, questions are refused."
    )
    yield (
        "The same question gets the same answer for ever, at no cost. What is too small is withheld like what is not "
        "known and what is not allowed: neither the status, the size nor the time of an answer tells which."
    )


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


def _whom(policy: Policy, _: Forecast) -> Iterator[str]:
    for role, operations in policy.access:
        if operations:
            yield f"{role}: may {', '.join(DOES[operation] for operation in operations)}."
    yield "Everybody else: nothing, over the network. Whoever can use the machine itself is not bound by this list."


def _hidden(policy: Policy, _: Forecast) -> Iterator[str]:
    if policy.unit == "user":
        what = "the counts look" if policy.guarantee.mode == "guarded" else "what is published looks"
        yield f"One user with all they wrote in a {policy.epoch}: {what} nearly the same without them."
    else:
        yield "One conversation. A person with several is NOT protected as a whole."


def _cost(policy: Policy, figures: Forecast) -> Iterator[str]:
    budget, yearly = policy.guarantee.budget, policy.guarantee.yearly
    what = "what the counts of a release tell" if policy.guarantee.mode == "guarded" else "a release"
    yield (
        f"A {policy.epoch} may cost epsilon {budget.epsilon:g} at delta {budget.delta:g}; its release states "
        f"epsilon {figures.epsilon:.3g} at delta {figures.delta:.2g}."
    )
    yield (
        f"In words: whatever the odds somebody gives that one {policy.unit} is in the log, {what} changes them by a "
        f"factor of {_factor(budget.epsilon)} at most, but for a failure rarer than one in {1 / budget.delta:,.0f}."
    )
    yield (
        f"A year may cost epsilon {yearly.epsilon:g} at delta {yearly.delta:g}. That pays for {figures.epochs_paid} "
        f"releases; the year has {figures.epochs_in_year} {policy.epoch}s at most. "
        f"{min(figures.epochs_paid, figures.epochs_in_year)} of them come to epsilon {figures.yearly_epsilon:.3g} "
        f"together at delta {figures.yearly_delta:.2g}."
    )
    yield "When it is spent, releases are refused. Nothing is refunded, and another policy does not reset it."


def _bounded(policy: Policy, _: Forecast) -> Iterator[str]:
    bounds, discovered = policy.contributions, policy.topics.taxonomy is None
    if policy.unit == "conversation":
        proposes = f", and proposes {bounds.phrases_per_user} phrases at most" if discovered else ""
        yield f"Each conversation counts once, in one topic{proposes}."
        return
    proposing = f", proposing at most {bounds.phrases_per_user} phrases" if discovered else ""
    yield (
        f"Of one user at most {bounds.conversations_per_user} conversations count, picked at random, in at most "
        f"{bounds.topics_per_user} topics{proposing}."
    )


def _thrown(policy: Policy, _: Forecast) -> Iterator[str]:
    kept = policy.retention
    yield "Raw text: its key is destroyed as soon as it is extracted, with a signed receipt."
    yield f"Until then the policy lets it wait, sealed, for {kept.raw_ttl}."
    if kept.raw_key == "memory":
        yield "The key of raw text is in the memory of one process only: a crash loses what is not yet extracted."
    parts = "phrases, facets, vectors" + (", summaries" if policy.guarantee.mode == "guarded" else "")
    if kept.derived == "discard_after_release":
        yield f"Extracts ({parts}, all sealed): destroyed with the release."
    elif policy.queries.live:
        yield f"Extracts ({parts}, all sealed): kept after the release, for live questions."
    yield f"The policy lets extracts live, sealed, for {kept.derived_ttl}."
    yield f"One {policy.unit} can be forgotten (`sfumato forget`): what is sealed of it can't be read any more."
    yield "Attributes that no facet declares are dropped as a record comes in. User ids are replaced by keyed hashes."


def _noise(policy: Policy, figures: Forecast) -> Iterator[str]:
    yield (
        "Noise is added to every number. In 95 of 100 releases the published number of users falls between these; "
        "the wide range holds if people use all their topics, the narrow one if hardly anybody has more than one."
    )
    leaf, top = figures.levels[0], figures.levels[-1]
    for users in SIZES:
        ranges = f"{_range(users, leaf)} as a leaf, {_range(users, top)} at the top"
        yield f"A topic of {users:,} users: {ranges}. {_odds(policy, users, leaf)}"
    for facet in figures.facets:
        noise, where = (facet.overall, "overall") if facet.leaf is None else (facet.leaf, "within a leaf topic")
        least, most = (
            math.ceil(max(policy.thresholds.min_users, NOISE_FLOOR * sigma)) for sigma in (noise.low, noise.high)
        )
        reach = f"give or take {interval(0, noise.low)[1]} to {interval(0, noise.high)[1]}"
        yield f"Users of one value of {facet.name} {where}: {reach}; shown from {least} to {most} users on."


def _phrases(_: Policy, figures: Forecast) -> Iterator[str]:
    if figures.selection is None:
        return
    floor, sigma = figures.selection.threshold, figures.selection.sigma
    likely = next(users for users in range(1, 10**9) if reaches(users, sigma, floor) > 0.95)  # noqa: PLR2004
    yield f"Only those whose noisy count reaches {floor} users; one that {likely} users propose nearly always does."
    yield f"A phrase of fewer than {figures.selection.floor} users never appears."
    yield "What looks like an identifier of a person is withheld at any count."


def _uncovered(policy: Policy, _: Forecast) -> Iterator[str]:
    yield from NOT_COVERED if policy.unit == "user" else (line for line in NOT_COVERED if "user ids" not in line)


def _overridden(policy: Policy, _: Forecast) -> Iterator[str]:
    for entry in policy.override:
        leave = f"allowed by {entry.approved_by} until {entry.expires}"
        yield f"{entry.field}: looser than what it extends, {leave}: {entry.reason}"


def _sized(facet: FacetNoise) -> str:
    return f"{facet.name} ({'the nodes of its taxonomy' if facet.values is None else f'{facet.values} values'})"


def _range(users: int, noise: Noise) -> str:
    (low, high), (least, most) = interval(users, noise.low), interval(users, noise.high)
    return f"{least:,} to {most:,} (narrow: {low:,} to {high:,})"


def _odds(policy: Policy, users: int, leaf: Noise) -> str:
    chance = reaches(users, leaf.high, policy.thresholds.min_users)
    if chance > 0.995:  # noqa: PLR2004 - would round to 100
        return "It is shown."
    return "It is not shown." if chance < 0.005 else f"It is shown in {100 * chance:.0f} of 100."  # noqa: PLR2004


def _factor(epsilon: float) -> str:
    """The exponential of epsilon, in readable digits."""
    factor = math.exp(epsilon)
    return f"{factor:.1f}" if factor < 1000 else f"{factor:,.0f}"  # noqa: PLR2004
