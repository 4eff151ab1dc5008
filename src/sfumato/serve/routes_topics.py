"""Views of one release: its topics as a tree, one topic, its guarantee."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response  # noqa: TC002 - FastAPI reads the signatures

from sfumato.serve import views, wire
from sfumato.serve.answers import UNCHANGED, IfNoneMatch, answer
from sfumato.serve.reading import ABSENT, ReleaseId, TopicId

if TYPE_CHECKING:
    from sfumato.serve.reading import Reading


def router(reading: Reading) -> APIRouter:
    """`/v1/releases/{release_id}/topics`, `/topics/{topic_id}` and `/guarantee`."""
    found = reading.router("/v1/releases/{release_id}")

    @found.get("/topics", response_model=wire.TreeShape, responses={**ABSENT, **UNCHANGED})
    def topics(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """The topics as a tree."""
        page = reading.page(release_id, "/topics", lambda stored: views.tree(stored.release))
        return answer(page, if_none_match)

    @found.get("/topics/{topic_id}", response_model=wire.OneTopicShape, responses={**ABSENT, **UNCHANGED})
    def topic(release_id: ReleaseId, topic_id: TopicId, if_none_match: IfNoneMatch = None) -> Response:
        """One topic with its phrases and facets."""
        page = reading.page(release_id, f"/topics/{topic_id}", lambda stored: views.one_topic(stored, topic_id))
        return answer(page, if_none_match)

    @found.get("/guarantee", response_model=wire.CardShape, responses={**ABSENT, **UNCHANGED})
    def guarantee(release_id: ReleaseId, if_none_match: IfNoneMatch = None) -> Response:
        """The guarantee card."""
        page = reading.page(release_id, "/guarantee", views.card)
        return answer(page, if_none_match)

    return found
