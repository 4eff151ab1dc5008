"""Search in what a release says of its topics; the words come in a body, so they stand in no address and no log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends

from sfumato.serve import meaning, views
from sfumato.serve import wire_analysis as wire
from sfumato.serve.body import Body
from sfumato.serve.kept import Kept
from sfumato.serve.reading import BODY
from sfumato.serve.search import Index

if TYPE_CHECKING:
    from sfumato.model.release import Release
    from sfumato.serve.ports import EmbedPort
    from sfumato.serve.reading import Reading
    from sfumato.serve.search import Hit

ASKED = Body(wire.SearchShape)
RELEASES_KEPT = 16  # of which words and vectors stay in memory


def router(reading: Reading, embed: EmbedPort | None) -> APIRouter:
    """`POST /v1/search`."""
    found = reading.router("/v1/search")
    indexes: Kept[Index] = Kept(RELEASES_KEPT)
    meanings: Kept[meaning.Meanings] = Kept(RELEASES_KEPT)

    @found.post("", responses=BODY, openapi_extra=ASKED.declared())
    def search(asked: Annotated[wire.SearchShape, Depends(ASKED)]) -> wire.FindingsShape:
        """Topics whose released name, phrases or description answer the text, best first."""
        release = reading.found(asked.release).release
        hits = indexes.get(release.id, lambda: Index(release)).find(asked.text)
        if embed is not None and release.topics:
            known = meanings.get(release.id, lambda: meaning.Meanings(release, embed))
            hits = meaning.joined(hits, known.likeness(asked.text))
        return wire.FindingsShape(
            release=release.id,
            guarantee=views.promise(release),
            matching="lexical" if embed is None else "semantic",
            topics=[_found(release, hit) for hit in hits[: asked.limit]],
        )

    return found


def _found(release: Release, hit: Hit) -> wire.FoundShape:
    topic = release.topics[hit.topic]
    return wire.FoundShape(
        topic=topic.id,
        parent=topic.parent,
        level=topic.level,
        name=topic.name,
        users=views.estimate(topic.users),
        score=round(hit.score, 4),
        where=hit.where,
    )
