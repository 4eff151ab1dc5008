"""What a release under a policy will cost and how noisy its numbers will be, from the plan alone, before any data."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sfumato import planning
from sfumato.errors import PolicyError
from sfumato.model.guarantee import NANO
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.policy import lint_models
from sfumato.policy.figures import FacetNoise, Forecast, Noise, Selection
from sfumato.policy.schema_base import exact
from sfumato.privacy import accounting, mechanisms
from sfumato.topics import declared
from sfumato.topics.counting import LEVEL_NAMES, LEVEL_REACH, SCREENED, VALUES_PER_UNIT
from sfumato.topics.vocabulary import FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.planning import ReleasePlan
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import FacetSection, TaxonomySection

EPOCHS_IN_YEAR = {"day": 366, "week": 53, "month": 12, "quarter": 4, "year": 1}
SAMPLE_EPOCH = {"day": "2026-01-01", "week": "2026-W01", "month": "2026-01", "quarter": "2026-Q1", "year": "2026"}


UNREAD = Taxonomy(
    nodes=(Node(id="unread", parent=None, name="unread"),), digest=""
)  # neither budget nor bounds need it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """How one release counts.

    charges: rho of each measurement, nano units. levels: of each level, deepest first, its name and how many of its
    topics one unit may count in. width: topics that one conversation may stand for. by: what a facet's charge within
    topics is called, and by how many levels it is shared.
    """

    plan: ReleasePlan
    charges: Mapping[str, int]
    levels: tuple[tuple[str, int], ...]
    width: int
    by: tuple[str, int]

    @property
    def touched(self) -> tuple[int, int]:
        """Topics of one unit: if hardly anybody has more than one conversation, and at most."""
        most = self.plan.topics.topics_per_user
        return min(self.width, most), most


def forecast(policy: Policy, taxonomies: Mapping[TaxonomySection, Taxonomy] = MappingProxyType({})) -> Forecast:
    """The figures of one release, and of a year of them, by the same plan, charges and scales that a release uses.

    taxonomies: those that the policy declares, as read; a declared taxonomy that is not among them is taken to be as
    deep as a discovered tree.

    Raises:
        PolicyError: the budget is too small for the measurements of a release.
    """
    try:
        counted = _counted(policy, taxonomies)
    except ValueError as problem:
        raise PolicyError(f"guarantee.budget: {problem}") from None
    plan, selection = counted.plan, _selection(counted)
    epsilon, delta = accounting.stated(
        rho=plan.rho, selection_delta=plan.delta if selection else 0, conversion_delta=plan.conversion_delta
    )
    in_year = EPOCHS_IN_YEAR[policy.epoch]
    paid = min(plan.caps.yearly_rho // plan.rho, plan.caps.yearly_delta // plan.delta)
    yearly_epsilon, yearly_delta = _year(policy, plan, min(in_year, paid))
    return Forecast(
        epsilon=epsilon,
        delta=delta,
        rho=plan.rho / NANO,
        selection=selection,
        levels=tuple(_levels(counted)),
        facets=tuple(_facets(policy, counted, taxonomies)),
        epochs_in_year=in_year,
        epochs_paid=paid,
        yearly_epsilon=yearly_epsilon,
        yearly_delta=yearly_delta,
    )


def _counted(policy: Policy, taxonomies: Mapping[TaxonomySection, Taxonomy]) -> _Counted:
    """By the way to topics that the policy takes: found by measurements, by Clio's steps, or declared."""
    sections = lint_models.taxonomies(policy).values()
    resources = planning.Resources(taxonomies={section: taxonomies.get(section, UNREAD) for section in sections})
    plan = planning.release_plan(policy, dataset="forecast", epoch=SAMPLE_EPOCH[policy.epoch], resources=resources)
    names = tuple(facet.name for facet in policy.facets)
    if policy.topics.taxonomy is not None:
        tree = taxonomies.get(policy.topics.taxonomy)
        depth = len(LEVEL_NAMES) if tree is None else tree.depth
        return _Counted(
            plan=plan,
            charges=declared.charges(plan.topics, depth=depth, facets=names),
            levels=tuple((f"depth {at} users", plan.topics.topics_per_user) for at in range(depth, 0, -1)),
            width=policy.topics.at_most,
            by=("by node", min(declared.FACET_DEPTHS, depth)),
        )
    guarded = policy.guarantee.mode == "guarded"
    return _Counted(
        plan=plan,
        charges=plan.topics.counting_charges(names) if guarded else plan.topics.charges(names),
        levels=tuple((f"{name} users", reach) for name, reach in zip(LEVEL_NAMES, LEVEL_REACH, strict=True)),
        width=1,
        by=("by topic", len(LEVEL_NAMES)),
    )


def _selection(counted: _Counted) -> Selection | None:
    """Scale and threshold of the phrases, as `Measurer.select` computes them."""
    rho = counted.charges.get("vocabulary")
    if rho is None:
        return None
    limit = counted.plan.topics.phrases_per_user
    scale = mechanisms.gaussian_scale(rho=rho, l2=mechanisms.l2_of(l0=limit, linf=1))
    threshold = mechanisms.selection_threshold(scale=scale, delta=counted.plan.delta, l0=limit, linf=1)
    return Selection(threshold=threshold + FLOOR - 1, sigma=scale, floor=FLOOR)


def _levels(counted: _Counted) -> Iterator[Noise]:
    least, most = counted.touched
    for name, reach in counted.levels:
        yield _noise(name, counted.charges[name], least=min(least, reach), most=min(most, reach))


def _facets(policy: Policy, counted: _Counted, taxonomies: Mapping[TaxonomySection, Taxonomy]) -> Iterator[FacetNoise]:
    """Every declared facet, and the two sides of a screener."""
    sizes = {facet.name: len(facet.domain) for facet in counted.plan.facets}
    for facet in policy.facets:
        read = facet.taxonomy is None or facet.taxonomy in taxonomies
        yield _facet(counted, facet, sizes[facet.name] if read else None)
    if policy.screen is not None and "screen" in counted.charges:
        both = _noise(SCREENED, counted.charges["screen"], least=2, most=2)
        yield FacetNoise(name=SCREENED, values=2, overall=both, leaf=None)


def _facet(counted: _Counted, facet: FacetSection, values: int | None) -> FacetNoise:
    """A unit counts in at most two values of a facet, however many its conversations have.

    One conversation with several values makes room for two, even where a unit touches one topic. Within topics, the
    charge is shared by the levels.
    """
    name, (by, shared) = facet.name, counted.by
    least, most = (min(max(topics, facet.several), VALUES_PER_UNIT) for topics in counted.touched)
    overall = _noise(f"facet {name}", counted.charges[f"facet {name}"], least=least, most=most)
    charge = counted.charges.get(f"facet {name} {by}")
    if charge is None:
        return FacetNoise(name=name, values=values, overall=overall, leaf=None)
    few, many = (min(topics, counted.levels[0][1]) for topics in counted.touched)
    leaf = _noise(f"facet {name} by leaf", max(charge // shared, 1), least=max(few, least), most=max(many, most))
    return FacetNoise(name=name, values=values, overall=overall, leaf=leaf)


def _noise(name: str, rho: int, *, least: int, most: int) -> Noise:
    """The scale for `least` and for `most` keys of one unit: the noisy activity of the epoch decides between them."""
    low, high = (mechanisms.gaussian_scale(rho=rho, l2=mechanisms.l2_of(l0=l0, linf=1)) for l0 in (least, most))
    return Noise(name=name, low=low, high=high)


def _year(policy: Policy, plan: ReleasePlan, releases: int) -> tuple[float, float]:
    yearly = policy.guarantee.yearly
    conversion = accounting.allowance(exact(yearly.epsilon), exact(yearly.delta)).conversion_delta
    return accounting.stated(
        rho=releases * plan.rho, selection_delta=releases * plan.delta, conversion_delta=conversion
    )
