"""PRIVATE. An epoch's extracts as the worker keeps them in memory: each unit's bounded rows, facet codes, places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sfumato.model.private import Private
from sfumato.model.question import TOPIC
from sfumato.privacy.bounds import Shape, bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from sfumato.live.terms import Terms
    from sfumato.model.extract import Extracts
    from sfumato.topics.assignment import Assignment

PLACES = "\0places"  # no facet can have this name


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Columns(Private):
    """n conversations of bounded units, each unit's rows side by side.

    unit_of: (n,) int32, ascending from 0. facets: (n,) codes, or (n, k) filled up with -1. places: the same, of the
    topics; None where nobody asked for topics.
    """

    unit_of: NDArray[np.int32]
    facets: Mapping[str, NDArray[np.int16]]
    places: NDArray[np.int16] | None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        columns = [self.unit_of, *self.facets.values(), *(() if self.places is None else (self.places,))]
        return sum(column.nbytes for column in columns)

    def of(self, name: str) -> NDArray[np.int16]:
        """The codes of a facet, or the places."""
        if name != TOPIC:
            return self.facets[name]
        if self.places is None:
            raise ValueError("these columns were read without topics")
        return self.places


def load(batches: Iterable[Extracts], terms: Terms, assignment: Assignment | None) -> Columns:
    """The columns that questions read; phrases, summaries and vectors are let go batch by batch.

    Which of a unit's conversations stay follows from that unit's own records, as for a release.
    """
    names = [facet.name for facet in terms.plan.facets]
    slim = (_slim(batch, names, assignment) for batch in batches)
    shape = terms.plan.shape
    several = {facet.name: facet.at_most for facet in terms.plan.facets}
    if assignment is not None:
        several[PLACES] = assignment.at_most
    bounded = bound(
        slim,
        conversations_per_unit=terms.conversations,
        shape=Shape(facets=several, screened=shape.screened, width=0),
    )
    facets = dict(bounded.facets)
    places = facets.pop(PLACES, None)
    return Columns(unit_of=bounded.unit_of, facets=facets, places=places)


def _slim(batch: Extracts, names: list[str], assignment: Assignment | None) -> Extracts:
    facets = {name: batch.facets[name].copy() for name in names}  # a view would keep the whole record in memory
    if assignment is not None:
        told = batch.facets[TOPIC] if assignment.vectors is None else assignment.places(batch.vectors)
        facets[PLACES] = np.asarray(told, np.int16)
    rows = len(batch)
    return replace(batch, phrases=[()] * rows, vectors=np.zeros((rows, 0), np.float16), facets=facets, summaries=())
