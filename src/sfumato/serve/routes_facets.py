"""Breakdowns by facet, of a release or of one topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from sfumato.model.document import TOPIC_ID
from sfumato.serve import breakdown as views
from sfumato.serve import compare, wire_analysis
from sfumato.serve.answers import UNCHANGED, IfNoneMatch, answer
from sfumato.serve.reading import ABSENT, FacetName, ReleaseId

if TYPE_CHECKING:
    from sfumato.serve.reading import Reading
    from sfumato.serve.store import Stored

TopicQuery = Annotated[str | None, Query(pattern=f"^{TOPIC_ID}$")]


def router(reading: Reading) -> APIRouter:
    """`/v1/releases/{release_id}/facets` and `/facets/{name}`."""
    found = reading.router("/v1/releases/{release_id}/facets")

    @found.get("", response_model=wire_analysis.FacetsShape, responses={**ABSENT, **UNCHANGED})
    def facets(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """The facets of a release."""
        page = reading.page(release_id, "/facets", lambda stored: views.facets(stored.release))
        return answer(page, if_none_match)

    @found.get("/{name}", response_model=wire_analysis.BreakdownShape, responses={**ABSENT, **UNCHANGED})
    def facet(
        release_id: ReleaseId, name: FacetName, topic: TopicQuery = None, if_none_match: IfNoneMatch = None
    ) -> Response:
        """One facet, of the release or of one topic: every value of the domain in its order, with users and share.

        A share is users of the value over users of the whole; its interval is Fieller's for a ratio of two independent
        Gaussians, both released numbers. There is none under the threshold, nor where the whole is not clear of zero.
        """

        def cut(stored: Stored) -> wire_analysis.BreakdownShape | None:
            place = None if topic is None else compare.topic_of(stored.release, topic)
            absent = topic is not None and place is None
            return None if absent else views.breakdown(stored.release, name, place)

        page = reading.page(release_id, f"/facets/{name}" if topic is None else f"/facets?{name}?{topic}", cut)
        return answer(page, if_none_match)

    return found
