"""How each topic of a release grew since the epoch before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response  # noqa: TC002 - FastAPI reads the signatures

from sfumato.serve import breakdown, intervals, trends, views, wire_analysis
from sfumato.serve.answers import UNCHANGED, IfNoneMatch, answer
from sfumato.serve.reading import ABSENT, ReleaseId
from sfumato.serve.shelf import Page

if TYPE_CHECKING:
    from sfumato.model.release import Release
    from sfumato.serve.reading import Reading


def router(reading: Reading) -> APIRouter:
    """`/v1/releases/{release_id}/growth`."""
    found = reading.router("/v1/releases/{release_id}")

    @found.get("/growth", response_model=wire_analysis.GrowthShape, responses={**ABSENT, **UNCHANGED})
    def growth(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """Growth of users of every topic since the epoch before, with 95 % intervals.

        Topics are known again as in `/v1/trends`; the interval is Fieller's for a ratio of two independent Gaussians.
        """
        release = reading.found(release_id).release
        before = trends.earlier(release, [one.release for one in reading.store.releases()])
        return answer(Page.of(_shape(release, before)), if_none_match)

    return found


def _shape(release: Release, before: Release | None) -> wire_analysis.GrowthShape:
    return wire_analysis.GrowthShape(
        release=release.id,
        guarantee=views.promise(release),
        before=None if before is None else before.id,
        epoch=None if before is None else before.epoch,
        topics=[
            wire_analysis.GrownShape(
                topic=now.id, before=then.id, change=breakdown.ratio(intervals.change(now.users, then.users))
            )
            for now, then in (() if before is None else trends.pairs(release, before))
        ],
    )
