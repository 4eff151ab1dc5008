"""Views of facets: which there are, and one of them over a release or a topic, every value in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.serve import intervals, views, wire_analysis

if TYPE_CHECKING:
    from sfumato.model.release import Estimate, FacetCount, Release, Topic


def facets(release: Release) -> wire_analysis.FacetsShape:
    """The facets of a release, in its order; those that only topics have after them."""
    names = dict.fromkeys([*release.facets, *(name for topic in release.topics for name in topic.facets)])
    return wire_analysis.FacetsShape(
        release=release.id,
        guarantee=views.promise(release),
        facets=[_named(release, name) for name in names],
    )


def _named(release: Release, name: str) -> wire_analysis.FacetNameShape:
    within = [topic.facets[name] for topic in release.topics if name in topic.facets]
    domain = release.facets.get(name) or within[0]
    return wire_analysis.FacetNameShape(name=name, values=len(domain), topics=len(within))


def breakdown(release: Release, name: str, topic: Topic | None) -> wire_analysis.BreakdownShape | None:
    """One facet of a release or of its topic; None where it was not broken down by it.

    A share is users of the value over users of the whole, by Fieller's theorem (`intervals.ratio`): both are released
    numbers with noise of their own. Under the threshold there is none, nor where the whole is not clear of zero.
    """
    place: Release | Topic = release if topic is None else topic
    counts = place.facets.get(name)
    if counts is None:
        return None
    return wire_analysis.BreakdownShape(
        release=release.id,
        guarantee=views.promise(release),
        facet=name,
        topic=None if topic is None else topic.id,
        whole=views.estimate(place.users),
        values=[_part(one, place.users) for one in counts],
    )


def _part(one: FacetCount, whole: Estimate) -> wire_analysis.PartShape:
    if one.users is None:
        return wire_analysis.PartShape(value=one.value, users=None, share=None)
    return wire_analysis.PartShape(
        value=one.value, users=views.estimate(one.users), share=ratio(intervals.ratio(one.users, whole))
    )


def ratio(found: intervals.Interval | None) -> wire_analysis.RatioShape | None:
    """An interval as it is sent."""
    return None if found is None else wire_analysis.RatioShape(value=found.value, low=found.low, high=found.high)
