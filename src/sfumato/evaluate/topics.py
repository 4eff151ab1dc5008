"""`evaluate topics`: how well released topics fit labels that are known, under the guarantee of a policy.

For labelled, non-sensitive data: it works in memory, keeps nothing, and its scores compare exact labels with releases.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sfumato.evaluate import scores
from sfumato.evaluate.accuracy import labelled, trial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.evaluate.accuracy.labelled import Labelled
    from sfumato.evaluate.accuracy.trial import Setting, Tools, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One run against the labels; `topics` counts released leaves. What each figure means: `evaluate.scores`."""

    topics: float
    purity: float
    nmi: float
    ari: float
    coverage: float
    count_error: float


def evaluate(
    corpus: Labelled,
    *,
    label_field: str,
    epsilon: float,
    delta: float,
    seeds: int,
    tools: Tools,
) -> dict[str, object]:
    """Means of the scores over `seeds` independent runs, each charged the whole (epsilon, delta)."""
    started = time.monotonic()
    setting = trial.setting(corpus, epsilon=epsilon, delta=delta)
    runs, spent = [], []
    for _ in range(seeds):
        one = trial.run(setting, tools)
        runs.append(score(one, setting, label_field))
        spent.append(one.epsilon)
    means = {name: mean([getattr(run, name) for run in runs]) for name in Score.__dataclass_fields__}
    return {
        "n": len(corpus),
        "counted": len(setting.epoch),
        "labels": len(corpus.names[label_field]),
        **means,
        "epsilon": max(spent),
        "delta": delta,
        "unit": corpus.policy.unit,
        "seeds": seeds,
        "runs": [asdict(run) for run in runs],
        "seconds": round(time.monotonic() - started, 2),
    }


def score(one: Trial, setting: Setting, label_field: str) -> Score:
    """Released leaves against the labels."""
    topics = one.leaves()
    leaves, shown = one.levels[0], one.shown[0]
    by_assignment = against(setting, topics, label_field)
    return Score(
        topics=int(shown.sum()),
        count_error=scores.count_error(
            {index: leaf.users.value for index, leaf in enumerate(leaves) if shown[index]},
            topics,
            setting.epoch.unit_of,
        ),
        **by_assignment,
    )


def against(setting: Setting, topics: NDArray[np.int64], label_field: str) -> dict[str, float]:
    """Purity, NMI, ARI and coverage of any assignment (n,) of rows to topics, -1 for none."""
    labels = labelled.labels_of(setting.epoch, label_field)
    return {
        "purity": scores.purity(labels, topics),
        "nmi": scores.nmi(labels, topics),
        "ari": scores.ari(labels, topics),
        "coverage": scores.coverage(
            labels, setting.epoch.unit_of, topics, min_users=setting.policy.thresholds.min_users
        ),
    }


def mean(values: list[float]) -> float | None:
    """Of the values that are numbers; None where there is none."""
    known = [value for value in values if value == value]  # noqa: PLR0124 - nan is not itself
    return round(statistics.fmean(known), 4) if known else None
