"""What a release under a policy will cost and how noisy its numbers will be, from the plan alone, before any data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato import planning
from sfumato.errors import PolicyError
from sfumato.model.guarantee import NANO
from sfumato.policy.figures import FacetNoise, Forecast, Noise
from sfumato.policy.schema import exact
from sfumato.privacy import accounting, mechanisms
from sfumato.topics.discover import LEVEL_NAMES, LEVEL_REACH, VALUES_PER_UNIT
from sfumato.topics.vocabulary import FLOOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfumato.planning import ReleasePlan
    from sfumato.policy.schema import Policy

EPOCHS_IN_YEAR = {"day": 366, "week": 53, "month": 12, "quarter": 4, "year": 1}
SAMPLE_EPOCH = {"day": "2026-01-01", "week": "2026-W01", "month": "2026-01", "quarter": "2026-Q1", "year": "2026"}


def forecast(policy: Policy) -> Forecast:
    """The figures of one release, and of a year of them, by the same plan, charges and scales that a release uses.

    Raises:
        PolicyError: the budget is too small for the measurements of a release.
    """
    try:
        plan = planning.release_plan(policy, dataset="forecast", epoch=SAMPLE_EPOCH[policy.epoch])
        charges = plan.topics.charges(tuple(facet.name for facet in plan.facets))
        scale, threshold = _selection(plan, charges)
    except ValueError as problem:
        raise PolicyError(f"guarantee.budget: {problem}") from None
    epsilon, delta = accounting.stated(rho=plan.rho, selection_delta=plan.delta, conversion_delta=plan.conversion_delta)
    in_year = EPOCHS_IN_YEAR[policy.epoch]
    paid = min(plan.caps.yearly_rho // plan.rho, plan.caps.yearly_delta // plan.delta)
    yearly_epsilon, yearly_delta = _year(policy, plan, min(in_year, paid))
    return Forecast(
        epsilon=epsilon,
        delta=delta,
        rho=plan.rho / NANO,
        selection_threshold=threshold + FLOOR - 1,
        phrase_sigma=scale,
        phrase_floor=FLOOR,
        levels=tuple(
            _noise(f"{level} users", charges[f"{level} users"], min(plan.topics.topics_per_user, reach))
            for level, reach in zip(LEVEL_NAMES, LEVEL_REACH, strict=True)
        ),
        facets=tuple(_facet(plan, charges, facet.name, len(facet.domain)) for facet in plan.facets),
        epochs_in_year=in_year,
        epochs_paid=paid,
        yearly_epsilon=yearly_epsilon,
        yearly_delta=yearly_delta,
    )


def _selection(plan: ReleasePlan, charges: Mapping[str, int]) -> tuple[float, int]:
    """Scale and threshold of the phrases, as `Measurer.select` computes them."""
    limit = plan.topics.phrases_per_user
    scale = mechanisms.gaussian_scale(rho=charges["vocabulary"], l2=mechanisms.l2_of(l0=limit, linf=1))
    return scale, mechanisms.selection_threshold(scale=scale, delta=plan.delta, l0=limit, linf=1)


def _facet(plan: ReleasePlan, charges: Mapping[str, int], name: str, values: int) -> FacetNoise:
    """By topic, a facet's charge is shared by the three levels of a tree of usual size."""
    touched = plan.topics.topics_per_user
    share = max(charges[f"facet {name} by topic"] // len(LEVEL_NAMES), 1)
    return FacetNoise(
        name=name,
        values=values,
        overall=_noise(f"facet {name}", charges[f"facet {name}"], min(touched, VALUES_PER_UNIT)),
        leaf=_noise(f"facet {name} by leaf", share, min(touched, LEVEL_REACH[0])),
    )


def _noise(name: str, rho: int, most: int) -> Noise:
    """The scale at one topic a person, and at `most`: the noisy activity of the epoch decides between the two."""
    low, high = (mechanisms.gaussian_scale(rho=rho, l2=mechanisms.l2_of(l0=l0, linf=1)) for l0 in (1, most))
    return Noise(name=name, low=low, high=high)


def _year(policy: Policy, plan: ReleasePlan, releases: int) -> tuple[float, float]:
    yearly = policy.guarantee.yearly
    conversion = accounting.allowance(exact(yearly.epsilon), exact(yearly.delta)).conversion_delta
    return accounting.stated(
        rho=releases * plan.rho, selection_delta=releases * plan.delta, conversion_delta=conversion
    )
