"""How often the auditor lets pass what it should not, and denies what it should not, by set and by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sfumato.gate.auditor import Auditor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sfumato.gate.rubric import Rubric
    from sfumato.model.prompt import Model
    from sfumato.model.strict_json import Json, JsonObject

Layer: TypeAlias = "Callable[[Sequence[str]], Sequence[bool]]"
Z95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One string and whether it must be denied. kinds: what is in it, for the breakdown."""

    text: str
    unsafe: bool
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSet:
    """Cases that are counted together."""

    name: str
    cases: tuple[Case, ...]


def layers(rubric: Rubric | None = None, *, model: Model | None = None, minimum: int | None = None) -> dict[str, Layer]:
    """The auditor's layers apart and together: `detectors`, and with a model also `model` and `both`.

    minimum: the rating that a string needs of the model; None: the rubric's.
    """
    whole = Auditor(rubric, model=model, minimum=minimum)
    if model is None:
        return {"detectors": _allows(whole)}
    alone = whole.rubric.model_copy(update={"detectors": (), "presidio": False})
    return {
        "detectors": _allows(Auditor(whole.rubric)),
        "model": _allows(Auditor(alone, model=model, minimum=minimum)),
        "both": _allows(whole),
    }


def _allows(auditor: Auditor) -> Layer:
    return lambda texts: [one.allowed for one in auditor.judge(texts)]


def evaluate(sets: Iterable[CaseSet], layers: Mapping[str, Layer]) -> JsonObject:
    """Rates of every set under every layer; a layer says of each text whether it is allowed.

    Returns `{"layers": [...], "sets": {name: {"n_unsafe", "n_safe", "fnr", "fpr", "interval": {"fnr", "fpr"},
    "by_kind", "by_layer": {layer: the same}}}}`: the figures of a set itself are the last layer's.
    """
    found: dict[str, Json] = {}
    last = list(layers)[-1]
    for one in sets:
        texts = [case.text for case in one.cases]
        judged = {name: layer(texts) for name, layer in layers.items()}
        by_layer: dict[str, Json] = {name: _rates(one.cases, allowed) for name, allowed in judged.items()}
        found[one.name] = {**_rates(one.cases, judged[last]), "by_layer": by_layer}
    return {"layers": list(layers), "sets": found}


def _rates(cases: Sequence[Case], allowed: Sequence[bool]) -> JsonObject:
    unsafe = [passed for case, passed in zip(cases, allowed, strict=True) if case.unsafe]
    safe = [not passed for case, passed in zip(cases, allowed, strict=True) if not case.unsafe]
    return {
        "n_unsafe": len(unsafe),
        "n_safe": len(safe),
        "fnr": _share(unsafe),
        "fpr": _share(safe),
        "interval": {"fnr": list(wilson(sum(unsafe), len(unsafe))), "fpr": list(wilson(sum(safe), len(safe)))},
        "by_kind": _by_kind(cases, allowed),
    }


def _by_kind(cases: Sequence[Case], allowed: Sequence[bool]) -> JsonObject:
    """Missed among the unsafe and denied among the safe, for each kind that is in a case."""
    unsafe: dict[str, list[bool]] = {}
    safe: dict[str, list[bool]] = {}
    for case, passed in zip(cases, allowed, strict=True):
        for kind in case.kinds:
            (unsafe if case.unsafe else safe).setdefault(kind, []).append(passed == case.unsafe)
    return {
        kind: {
            "n_unsafe": len(unsafe.get(kind, ())),
            "n_safe": len(safe.get(kind, ())),
            "fnr": _share(unsafe.get(kind, ())),
            "fpr": _share(safe.get(kind, ())),
        }
        for kind in sorted({*unsafe, *safe})
    }


def _share(wrong: Sequence[bool]) -> float | None:
    return sum(wrong) / len(wrong) if wrong else None


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); (0, 1) where nothing was tried."""
    if trials == 0:
        return 0.0, 1.0
    share, square = hits / trials, Z95**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    reach = Z95 / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def rows(result: JsonObject) -> list[tuple[str, ...]]:
    """The sets of a result as lines of a table: name, unsafe, missed, interval, safe, denied, interval."""
    sets = result["sets"]
    lines: list[tuple[str, ...]] = []
    for name, found in sets.items() if isinstance(sets, dict) else ():
        if isinstance(found, dict) and isinstance(interval := found["interval"], dict):
            cells = [
                (str(found[f"n_{half}"]), _percent(found[rate]), _between(interval[rate]))
                for half, rate in (("unsafe", "fnr"), ("safe", "fpr"))
            ]
            lines.append((name, *cells[0], *cells[1]))
    return lines


def _percent(share: Json) -> str:
    return f"{share:.1%}" if isinstance(share, float) else "-"


def _between(ends: Json) -> str:
    return " to ".join(_percent(end).rstrip("%") for end in ends) if isinstance(ends, list) else "-"
