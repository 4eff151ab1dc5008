"""How right released numbers are: error by size of topic, intervals, rare labels, stability, and the tree above."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.evaluate import scores
from sfumato.evaluate.accuracy import labelled, trial
from sfumato.evaluate.auditor import wilson
from sfumato.gate.door import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.accuracy.labelled import Labelled
    from sfumato.evaluate.accuracy.trial import Setting, Tools, Trial

SIZES = (1, 50, 100, 200, 500, 1000, 1 << 40)
"""Edges of the bins of true users, topics and labels alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """label: the field of true leaf topics. coarser: of labels that the levels above the leaves are compared with."""

    label: str
    coarser: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One released topic: users truly in it, as released, and whether the 95 % interval holds the truth."""

    true: int
    released: float
    covered: bool


def evaluate(
    corpus: Labelled,
    *,
    fields: Fields,
    epsilons: Sequence[float],
    delta: float,
    seeds: int,
    tools: Tools,
) -> dict[str, object]:
    """All of it at each epsilon."""
    found = []
    for epsilon in epsilons:
        setting = trial.setting(corpus, epsilon=epsilon, delta=delta)
        trials = [trial.run(setting, tools) for _ in range(seeds)]
        counts = [count for one in trials for count in counts_of(one, setting)]
        found.append(
            {
                "epsilon": epsilon,
                "topics": round(float(np.mean([one.shown[0].sum() for one in trials])), 1),
                "counts": by_size(counts),
                "rare_labels": _rare(trials, setting, fields.label),
                "stability": _stability(trials),
                "tree": {field: _tree(trials, setting, field) for field in fields.coarser},
            }
        )
    return {"n": len(corpus), "unit": corpus.policy.unit, "delta": delta, "seeds": seeds, "by_epsilon": found}


def rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Lines of a table: epsilon, users of a topic, topics, median error, share of intervals that hold."""
    return [
        (f"{one['epsilon']:g}", row["users"], str(row["topics"]), f"{row['median_error']:.1%}", f"{row['cover']:.1%}")
        for one in result["by_epsilon"]
        for row in one["counts"]
    ]


def counts_of(one: Trial, setting: Setting) -> list[Counts]:
    """Every released topic of every level against the distinct users whose rows lie in it, all of their rows."""
    units = setting.epoch.unit_of.astype(np.int64)
    made = []
    for topics, shown, rows in zip(one.levels, one.shown, one.of_row, strict=True):
        pairs = np.unique(np.stack([rows, units], axis=1), axis=0)
        true = np.bincount(pairs[pairs[:, 0] >= 0, 0], minlength=len(topics))
        for place in np.flatnonzero(shown).tolist():
            told = estimate(topics[place].users)
            inside = told.low <= true[place] <= told.high
            made.append(Counts(true=int(true[place]), released=topics[place].users.value, covered=inside))
    return made


def by_size(counts: Sequence[Counts]) -> list[dict[str, object]]:
    """Per bin of true users, and over all ("all"): topics, median and 90 % quantile of the relative error, cover."""
    bins = [(_bin(low, high), [one for one in counts if low <= one.true < high]) for low, high in pairwise(SIZES)]
    return [{"users": name, **_summary(held)} for name, held in [*bins, ("all", list(counts))] if held]


def _summary(counts: Sequence[Counts]) -> dict[str, object]:
    errors = [abs(one.released - one.true) / max(one.true, 1) for one in counts]
    hits = sum(one.covered for one in counts)
    return {
        "topics": len(counts),
        "median_error": round(float(np.median(errors)), 4),
        "error_90": round(float(np.quantile(errors, 0.9)), 4),
        "cover": round(hits / len(counts), 4),
        "cover_interval": [round(end, 4) for end in wilson(hits, len(counts))],
    }


def _rare(trials: Sequence[Trial], setting: Setting, label_field: str) -> list[dict[str, object]]:
    """Per bin of a label's true users: the share of labels that are the majority of some released leaf."""
    labels = labelled.labels_of(setting.epoch, label_field)
    pairs = np.unique(np.stack([labels, setting.epoch.unit_of.astype(np.int64)], axis=1), axis=0)
    people = np.bincount(pairs[:, 0], minlength=int(labels.max(initial=0)) + 1)
    found = np.array([np.isin(np.arange(len(people)), _majorities(one.leaves(), labels)) for one in trials])
    lines: list[dict[str, object]] = []
    for low, high in pairwise(SIZES):
        held = np.flatnonzero((people >= low) & (people < high))
        if len(held):
            share = round(float(found[:, held].mean()), 4)
            lines.append({"users": _bin(low, high), "labels": len(held), "found": share})
    return lines


def _majorities(topics: NDArray[np.int64], labels: NDArray[np.int64]) -> list[int]:
    return [int(np.bincount(labels[topics == topic]).argmax()) for topic in np.unique(topics) if topic >= 0]


def _stability(trials: Sequence[Trial]) -> dict[str, float | None]:
    """Mean agreement of two releases of the same data on which rows lie together; None of one release."""
    pairs = list(combinations([one.leaves() for one in trials], 2))
    if not pairs:
        return {"nmi": None, "ari": None}
    return {
        "nmi": round(float(np.mean([scores.nmi(a, b) for a, b in pairs])), 4),
        "ari": round(float(np.mean([scores.ari(a, b) for a, b in pairs])), 4),
    }


def _tree(trials: Sequence[Trial], setting: Setting, field: str) -> list[dict[str, object]]:
    """Each level of topics against a coarser label: groups, purity and NMI, means over releases."""
    labels = labelled.labels_of(setting.epoch, field)
    levels = max(len(one.levels) for one in trials)
    lines: list[dict[str, object]] = []
    for level in range(levels):
        rows = [one.of_row[level] for one in trials if level < len(one.of_row)]
        lines.append(
            {
                "level": level,
                "topics": round(float(np.mean([len(np.unique(row[row >= 0])) for row in rows])), 1),
                "purity": round(float(np.mean([scores.purity(labels, row) for row in rows])), 4),
                "nmi": round(float(np.mean([scores.nmi(labels, row) for row in rows])), 4),
            }
        )
    return lines


def _bin(low: int, high: int) -> str:
    return f"{low} and more" if math.log2(high) >= 40 else f"{low} to {high - 1}"  # noqa: PLR2004 - the open end
