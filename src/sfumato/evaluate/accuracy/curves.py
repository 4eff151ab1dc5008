"""`evaluate curves`: accuracy against epsilon, users and the size of topics, beside two baselines of the same run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.evaluate import topics as scored
from sfumato.evaluate.accuracy import baselines, counting, trial
from sfumato.evaluate.accuracy.chart import Chart, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.accuracy.labelled import Labelled
    from sfumato.evaluate.accuracy.trial import Setting, Tools
    from sfumato.privacy.bounds import BoundedEpoch

USERS_AT = 2.0  # epsilon of the second curve
OURS, LLOYD, K_MEANS = "sfumato", "DP-Lloyd", "k-means, no privacy"
NAMES = {"nmi": "NMI", "purity": "purity", "coverage": "labels found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Where the curves are measured. shares: of the users, for the second curve."""

    epsilons: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    shares: tuple[float, ...] = (0.1, 0.2, 0.4, 0.7, 1.0)


def measured(
    corpus: Labelled,
    *,
    label_field: str,
    at: Points,
    delta: float,
    seeds: int,
    tools: Tools,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    """Points of every curve: {"by_epsilon", "by_users"}: per x and method, each score's mean, least and largest.

    The baselines get as many clusters as there are true labels, which a real analyst does not know.
    """
    clusters = len(corpus.names[label_field])
    by_epsilon, sizes = [], []
    whole = trial.setting(corpus, epsilon=USERS_AT, delta=delta)
    plain = baselines.k_means(whole, clusters=clusters)  # without noise there is one answer for every epsilon
    for epsilon in at.epsilons:
        setting = trial.setting(corpus, epsilon=epsilon, delta=delta)
        point, counts = _point(setting, label_field, plain, seeds, tools)
        by_epsilon.append({"epsilon": epsilon, **point})
        sizes.append({"epsilon": epsilon, "counts": counting.by_size(counts)})
        advance(1)
    by_users = []
    for share in at.shares:
        part = replace(whole, epoch=first_units(whole.epoch, round(whole.epoch.units * share)))
        fewer = plain if share == 1 else baselines.k_means(part, clusters=clusters)
        point, _ = _point(part, label_field, fewer, seeds, tools)
        by_users.append({"users": part.epoch.units, **point})
        advance(1)
    return {
        "n": len(corpus), "labels": clusters, "unit": corpus.policy.unit, "delta": delta, "seeds": seeds,
        "by_epsilon": by_epsilon, "by_users": by_users, "by_size": sizes,
    }  # fmt: skip


def first_units(epoch: BoundedEpoch, units: int) -> BoundedEpoch:
    """The epoch of its first units: their numbers follow keyed hashes, so this is a uniform sample of users."""
    rows = int(np.searchsorted(epoch.unit_of, units))
    return replace(
        epoch,
        units=units,
        unit_of=epoch.unit_of[:rows],
        vectors=epoch.vectors[:rows],
        phrase_offsets=epoch.phrase_offsets[: rows + 1],
        phrase_ids=epoch.phrase_ids[: epoch.phrase_offsets[rows]],
        facets={name: codes[:rows] for name, codes in epoch.facets.items()},
    )


def _point(
    setting: Setting, label_field: str, plain: NDArray[np.int64], seeds: int, tools: Tools
) -> tuple[dict[str, Any], list[counting.Counts]]:
    """All three methods under one setting. plain: what k-means found."""
    clusters = int(plain.max(initial=0)) + 1
    trials = [trial.run(setting, tools) for _ in range(seeds)]
    lloyd = [baselines.private_lloyd(setting, clusters=clusters, noise=tools.noise) for _ in range(seeds)]
    assigned = {
        OURS: [one.leaves() for one in trials],
        LLOYD: lloyd,
        K_MEANS: [plain],
    }
    point = {
        method: _spread([scored.against(setting, rows, label_field) for rows in found])
        for method, found in assigned.items()
    }
    point[OURS]["topics"] = [float(one.shown[0].sum()) for one in trials]
    return point, [count for one in trials for count in counting.counts_of(one, setting)]


def _spread(found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean, least and largest of each score; None for one that does not exist here (`scores` says when)."""
    values = {name: [one[name] for one in found] for name in found[0]}
    return {
        name: [round(float(f(held)), 4) for f in (np.mean, np.min, np.max)] if np.isfinite(held).all() else None
        for name, held in values.items()
    }


def charts(result: Mapping[str, Any], *, name: str) -> dict[str, Chart]:
    """File stem to chart; none of a score that no point has. name: of the corpus, for titles."""
    drawn = {}
    for score, said in NAMES.items():
        drawn[f"{score}_by_epsilon"] = Chart(
            title=f"{name}: {said} against epsilon",
            x_label=f"epsilon (delta {result['delta']:g}, everything released included)",
            y_label=said,
            log_x=True,
            lines=[_line(result["by_epsilon"], "epsilon", method, score) for method in (OURS, LLOYD, K_MEANS)],
        )
    drawn["nmi_by_users"] = Chart(
        title=f"{name}: NMI against users, epsilon {USERS_AT:g}",
        x_label="users",
        y_label="NMI",
        log_x=True,
        lines=[_line(result["by_users"], "users", method, "nmi") for method in (OURS, LLOYD, K_MEANS)],
    )
    drawn["error_by_size"] = Chart(
        title=f"{name}: error of user counts against users of a topic",
        x_label="users of a topic (lower end of a bin)",
        y_label="median relative error",
        log_x=True,
        top=0.5,
        lines=[
            Line(name=f"epsilon {one['epsilon']:g}", points=[_size(row) for row in one["counts"] if _size(row)[0] > 0])
            for one in result["by_size"]
        ],
    )
    return {stem: chart for stem, chart in drawn.items() if any(line.points for line in chart.lines)}


def _line(rows: Sequence[Mapping[str, Any]], x: str, method: str, score: str) -> Line:
    known = [(row[x], row[method][score]) for row in rows if row[method][score] is not None]
    return Line(
        name=method,
        points=[(at, mean) for at, (mean, _, _) in known],
        ranges=[(least, largest) for _, (_, least, largest) in known],
    )


def _size(row: Mapping[str, Any]) -> tuple[float, float]:
    """Lower end of a bin and its error; 0 for the row over all bins."""
    low = row["users"].split(" ")[0]
    return (float(low) if low.isdigit() else 0.0), row["median_error"]
