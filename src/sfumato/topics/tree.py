"""PUBLIC. What discovery returns: topics, phrases, noisy numbers and positions. All of it may be published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfumato.topics import grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A noisy number after post-processing, and the standard deviation of its noise in the same unit."""

    value: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseUsers:
    """A released phrase and its noisy users, in one topic or overall; `users` is None where nothing was measured."""

    text: str
    users: Measured | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNode:
    """One topic; level 0 is a leaf, `parent` is None at the top. facets: one number per domain value."""

    id: str
    parent: str | None
    level: int
    name: str
    description: str
    phrases: tuple[PhraseUsers, ...]
    users: Measured
    conversations: Measured
    facets: Mapping[str, tuple[Measured, ...]] = field(default_factory=dict)
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTree:
    """Topics from the top level down. centroids: (leaves, d) float32, one row for each of leaf_ids."""

    users: Measured
    conversations: Measured
    facets: Mapping[str, tuple[Measured, ...]]
    phrases: tuple[PhraseUsers, ...]
    topics: tuple[TopicNode, ...]
    leaf_ids: tuple[str, ...]
    centroids: NDArray[np.float32]


def assign(vectors: NDArray[np.floating], centroids: NDArray[np.floating]) -> NDArray[np.int32]:
    """Index of the nearest centroid (largest cosine) for each row: (n,) int32, in bounded memory."""
    return grid.nearest(vectors, grid.quantise(centroids))
