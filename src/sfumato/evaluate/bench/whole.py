"""`bench`: every subject in turn, in one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.evaluate.bench import ingest, ledger, live, reading, sealing, serving, topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.model.prompt import Model
    from sfumato.privacy.noise import NoiseSource

STEPS = 9
GATE: Mapping[str, Callable[[], Mapping[str, float | None]]] = {
    "serving": serving.measure, "live": live.measure, "ledger": ledger.measure,
}  # fmt: skip


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
    found |= topics.measure(largest=largest, noise=noise, advance=advance)
    for name, measure in GATE.items():
        found[name] = dict(measure())
        advance(1)
    return found
