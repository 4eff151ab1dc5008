"""Topics: bounding, discovery and counts of made-up vectors, and how their time grows with records."""

from __future__ import annotations

import math
import resource
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.model.extract import Extracts
from sfumato.privacy import accounting
from sfumato.privacy.bounds import bound
from sfumato.privacy.measure import Measurer
from sfumato.topics.discover import discover
from sfumato.topics.plan import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.privacy.noise import NoiseSource

WIDTH = 384
SUBJECTS = 200
WORDS_OF_A_SUBJECT = 8
BATCH = 4096
WARM_UP = 1000


def measure(*, largest: int, noise: NoiseSource, advance: Callable[[int], None]) -> dict[str, Any]:
    """Topics at a quarter, a half and the whole of `largest` records.

    `growth` is the exponent of time in records between the smallest and the largest size: 1 is linear.
    """
    _topics(WARM_UP, noise)  # starts the noise processes and loads what is loaded on first use
    topics = []
    for size in (largest // 4, largest // 2, largest):
        topics.append(_topics(size, noise))
        advance(1)
    first, last = topics[0], topics[-1]
    growth = math.log(last["seconds"] / first["seconds"]) / math.log(last["records"] / first["records"])
    return {"topics": topics, "growth": round(growth, 2)}


def _topics(records: int, noise: NoiseSource) -> dict[str, float]:
    """Bounding, discovery and counts of one made-up epoch, two conversations a user."""
    corpus = _MadeUp(records)
    allowed = accounting.allowance(Fraction(2), Fraction(1, 10**6))
    plan = TopicPlan(rho=allowed.rho, delta=allowed.selection_delta)
    started = time.perf_counter()
    epoch = bound(corpus.batches(), conversations_per_unit=plan.conversations_per_user)
    bounded = time.perf_counter()
    tree = discover(
        epoch,
        plan=plan,
        measurer=Measurer(noise, rho=allowed.rho, delta=allowed.selection_delta),
        embed=corpus.embed,
        facet_domains={"language": tuple(str(code) for code in range(40))},
    )
    ended = time.perf_counter()
    return {
        "records": records,
        "seconds": round(ended - started, 2),
        "bounding_seconds": round(bounded - started, 2),
        "leaves": len(tree.leaf_ids),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


class _MadeUp:
    """Vectors around random directions; each record's phrases are words of its subject."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._generator = np.random.default_rng(7)
        self._subjects = self._unit(self._generator.normal(size=(SUBJECTS, WIDTH)))
        self._popularity = 1 / np.arange(1, SUBJECTS + 1)
        self._popularity /= self._popularity.sum()

    def batches(self) -> list[Extracts]:
        """The epoch, in batches as extraction stores them."""
        return [self._batch(start, min(BATCH, self._records - start)) for start in range(0, self._records, BATCH)]

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """A word of a subject lies near it."""
        own = np.array([int(phrase.split("w")[0][1:]) for phrase in phrases])
        return self._unit(self._subjects[own] + self._noise(len(own), 0.03))

    def _batch(self, start: int, count: int) -> Extracts:
        subject = self._generator.choice(SUBJECTS, size=count, p=self._popularity)
        words = self._generator.integers(WORDS_OF_A_SUBJECT, size=(count, 4))
        return Extracts(
            conversation_ids=[(start + i).to_bytes(16, "big") for i in range(count)],
            unit_ids=[((start + i) // 2).to_bytes(16, "big") for i in range(count)],
            phrases=[tuple({f"s{s}w{w}" for w in row}) for s, row in zip(subject, words, strict=True)],
            facets={"language": self._generator.integers(40, size=count).astype(np.int16)},
            vectors=self._unit(self._subjects[subject] + self._noise(count, 0.04)).astype(np.float16),
        )

    def _noise(self, count: int, scale: float) -> NDArray[np.float32]:
        return self._generator.normal(scale=scale, size=(count, WIDTH)).astype(np.float32)

    @staticmethod
    def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
