"""PRIVATE. What is left of conversations after extraction, in columns: phrases, closed-domain facets, a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Extracts(Private):
    """A batch of n extracted conversations.

    conversation_ids, unit_ids: n keyed hashes of 16 bytes each.
    phrases: n tuples of candidate phrases, best first, no duplicates within one.
    facets: for each declared facet, n codes: an index into the facet's domain (the last one is always `unknown`); a
    facet that takes several values has (n, k) codes, those to the right of the last one -1.
    vectors: (n, d) float16, unit length up to rounding.
    relevant: (n,) whether the screener let it through; None where there is no screener. What it did not let through
    has no phrases, no facets but `unknown`, and the zero vector.
    summaries: n strings in guarded mode; elsewhere none are kept.
    """

    conversation_ids: Sequence[bytes]
    unit_ids: Sequence[bytes]
    phrases: Sequence[tuple[str, ...]]
    facets: Mapping[str, NDArray[np.int16]]
    vectors: NDArray[np.float16]
    relevant: NDArray[np.bool_] | None = None
    summaries: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.unit_ids)
