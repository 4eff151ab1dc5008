"""`bench`: every subject in turn, in one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.evaluate.bench import ingest, reading, sealing, topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.model.prompt import Model
    from sfumato.privacy.noise import NoiseSource

STEPS = 6


def bench(
    *, largest: int, ingested: int, noise: NoiseSource, model: Model, advance: Callable[[int], None]
) -> dict[str, Any]:
    """The figures of each subject; `advance` is told of each of the STEPS. model: see `reading.measure`."""
    found: dict[str, Any] = {"sealing": sealing.measure()}
    advance(1)
    found["reading"] = reading.measure(model)
    advance(1)
    found["ingest"] = ingest.measure(records=ingested)
    advance(1)
    return found | topics.measure(largest=largest, noise=noise, advance=advance)
