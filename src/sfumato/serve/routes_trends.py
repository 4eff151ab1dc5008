"""A topic from release to release of one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from sfumato.model.document import RELEASE_ID, TOPIC_ID
from sfumato.serve import trends, views
from sfumato.serve import wire_analysis as wire
from sfumato.serve.answers import UNCHANGED, IfNoneMatch, answer
from sfumato.serve.reading import ABSENT, Dataset
from sfumato.serve.shelf import Page

if TYPE_CHECKING:
    from sfumato.serve.reading import Reading


def router(reading: Reading) -> APIRouter:
    """`/v1/trends`."""
    found = reading.router("/v1/trends")

    @found.get("", response_model=wire.TrendShape, responses={**ABSENT, **UNCHANGED})
    def trend(
        dataset: Dataset,
        topic: Annotated[str, Query(pattern=f"^{TOPIC_ID}$")],
        release: Annotated[str | None, Query(pattern=f"^{RELEASE_ID}$")] = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The users of a topic over the releases that have it: that of `release`, or else of the newest with this id.

        In other releases it is the topic with the same id, where both declare their topics, else the one with the same
        name at the same level. Epochs are different people's data: the noise of two points is independent.
        """
        releases = [one.release for one in reading.store.releases() if one.release.dataset == dataset]
        followed = trends.trend(releases, topic, within=release)
        if followed is None:
            raise HTTPException(404)
        return answer(Page.of(_shape(releases[0].dataset, followed)), if_none_match)

    return found


def _shape(dataset: str, followed: trends.Trend) -> wire.TrendShape:
    return wire.TrendShape(
        dataset=dataset,
        topic=followed.topic.id,
        name=followed.topic.name,
        matching=followed.matching,
        releases=followed.releases,
        points=[_point(point) for point in followed.points],
    )


def _point(point: trends.Point) -> wire.PointShape:
    release, topic = point.release, point.topic
    return wire.PointShape(
        release=release.id,
        epoch=release.epoch,
        created=release.created,
        guarantee=views.promise(release),
        topic=topic.id,
        name=topic.name,
        users=views.estimate(topic.users),
        conversations=views.estimate(topic.conversations),
        matched=point.matched,
    )
