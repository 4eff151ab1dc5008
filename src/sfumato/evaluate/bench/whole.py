"""`bench`: every subject in turn, in one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.evaluate.bench import ingest, topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.privacy.noise import NoiseSource

STEPS = 4


def bench(*, largest: int, noise: NoiseSource, advance: Callable[[int], None]) -> dict[str, Any]:
    """The figures of each subject; `advance` is told of each of the STEPS."""
    taken_in = {"ingest_per_second": ingest.rate()}
    advance(1)
    return taken_in | topics.measure(largest=largest, noise=noise, advance=advance)
