"""Clio's test: categories that are known, reconstructed from a release alone, in every language of the corpus.

Two measures, for each of the true tree's levels (domain, area, topic):

- *accuracy*, Clio's own (arXiv 2412.13678, section 3): the share of conversations whose released topic stands for
  their true category. A conversation's released topic is the lowest topic over it that passes the policy's thresholds;
  a topic stands for the true category of most conversations in it, as Clio's clusters were matched to categories by
  hand. A conversation under no released topic counts as wrong. This looks at who lies where, so it is for evaluation.
- *overlap*: what a reader gets without looking. Released users of each topic, added up by the category it stands for,
  as shares, against the corpus's true shares of users: 1 minus their total variation distance. By language: from the
  released numbers of each topic's users of that language, out of all its users as released; what is under a threshold
  is missing from it.

A language's accuracy also hangs on what its speakers ask about. *mix* is what that alone would give it: its accuracy
if each of the lowest true categories fared in it as in all languages together (direct standardisation).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.evaluate.accuracy import labelled, trial
from sfumato.evaluate.synth import write_jsonl
from sfumato.planning import facets_of
from sfumato.policy import decide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.embed.sentences import Embedder
    from sfumato.evaluate.accuracy.labelled import Labelled
    from sfumato.evaluate.accuracy.trial import Setting, Tools, Trial
    from sfumato.policy.schema import Policy

LEVELS = ("domain", "area", "topic")
LANGUAGE = "language"
CLIO: Mapping[str, object] = {
    "accuracy": 0.94,
    "lowest_language": 0.927,
    "highest_language": 0.954,
    "conversations": 19_476,
    "categories": 20,
    "languages": 15,
    "privacy": "thresholds and a model that audits; no formal guarantee",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Codes of each counted row: of its category on one level, and of its language, with their names."""

    category: NDArray[np.int64]
    language: NDArray[np.int64]
    categories: tuple[str, ...]
    languages: tuple[str, ...]


def synthetic(*, conversations: int, users: int, seed: int, policy: Policy, embedder: Embedder) -> Labelled:
    """The synthetic corpus with its whole truth.

    Raises:
        InputError: as `synth.synthesize`. Refused: as `labelled.read`.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "synthetic.jsonl"
        write_jsonl(source, conversations=conversations, users=users, seed=seed)
        return labelled.read(str(source), fields=(*LEVELS, LANGUAGE), policy=policy, embedder=embedder)


def evaluate(corpus: Labelled, *, epsilon: float, delta: float, seeds: int, tools: Tools) -> dict[str, object]:
    """Both measures on every level, means over `seeds` releases, beside Clio's published figures."""
    setting = trial.setting(corpus, epsilon=epsilon, delta=delta)
    truths = {level: _truth(corpus, setting, level) for level in LEVELS}
    trials = [trial.run(setting, tools) for _ in range(seeds)]
    return {
        "n": len(corpus),
        "users": setting.epoch.units,
        "languages": len(corpus.names[LANGUAGE]),
        "topics": round(float(np.mean([one.shown[0].sum() for one in trials])), 1),
        "levels": {
            level: _level(trials, setting, truth, truths[LEVELS[-1]].category) for level, truth in truths.items()
        },
        "clio": dict(CLIO),
        "epsilon": max(one.epsilon for one in trials),
        "delta": delta,
        "unit": corpus.policy.unit,
        "seeds": seeds,
    }


def rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Lines of a table: level, categories, accuracy, its range over languages, overlap; the last line is Clio's."""
    lines: list[tuple[str, ...]] = []
    for level, found in result["levels"].items():
        shares = found["accuracy_by_language"].values()
        spread = f"{min(shares):.1%} to {max(shares):.1%}"
        lines.append((level, str(found["categories"]), f"{found['accuracy']:.1%}", spread, f"{found['overlap']:.1%}"))
    clio = result["clio"]
    spread = f"{clio['lowest_language']:.1%} to {clio['highest_language']:.1%}"
    lines.append(("Clio, published", str(clio["categories"]), f"{clio['accuracy']:.1%}", spread, "-"))
    return lines


def _truth(corpus: Labelled, setting: Setting, level: str) -> Truth:
    return Truth(
        category=labelled.labels_of(setting.epoch, level),
        language=labelled.labels_of(setting.epoch, LANGUAGE),
        categories=corpus.names[level],
        languages=corpus.names[LANGUAGE],
    )


def _level(trials: Sequence[Trial], setting: Setting, truth: Truth, lowest: NDArray[np.int64]) -> dict[str, object]:
    right = np.mean([correct(one.nearest_shown(), truth.category) for one in trials], axis=0)
    whole = float(right.mean())
    of_language = {name: float(right[truth.language == code].mean()) for code, name in enumerate(truth.languages)}
    mix = standardised(right, lowest)
    spoken = [overlap_by_language(one, setting, truth) for one in trials]
    return {
        "categories": len(truth.categories),
        "accuracy": round(whole, 4),
        "accuracy_by_language": {name: round(share, 4) for name, share in of_language.items()},
        "mix_by_language": {
            name: round(float(mix[truth.language == code].mean()), 4) for code, name in enumerate(truth.languages)
        },
        "widest_gap": round(max(abs(share - whole) for share in of_language.values()), 4),
        "overlap": round(float(np.mean([overlap(one, setting, truth) for one in trials])), 4),
        "overlap_by_language": {
            name: round(float(np.mean([found[name] for found in spoken])), 4) for name in spoken[0]
        },
    }


def correct(topics: NDArray[np.int64], category: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) 1 where a row's category is the most frequent one of its topic, 0 elsewhere and in topic -1."""
    stands_for = majority(topics, category)
    found = np.array([stands_for.get(topic, -1) for topic in topics.tolist()], np.int64)
    return np.asarray(found == category, np.float64)


def standardised(right: NDArray[np.float64], stratum: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) the mean of `right` over all rows of a row's stratum (codes from 0)."""
    sizes = np.bincount(stratum)
    return np.asarray((np.bincount(stratum, right) / np.maximum(sizes, 1))[stratum])


def majority(topics: NDArray[np.int64], category: NDArray[np.int64]) -> dict[int, int]:
    """The most frequent category of each topic but -1; ties to the smallest code."""
    return {
        int(topic): int(np.bincount(category[topics == topic]).argmax()) for topic in np.unique(topics) if topic >= 0
    }


def overlap(one: Trial, setting: Setting, truth: Truth) -> float:
    """Released users of the leaves by category, as shares, against the true shares."""
    released = np.zeros(len(truth.categories))
    for place, category in majority(one.leaves(), truth.category).items():
        released[category] += max(one.levels[0][place].users.value, 0.0)
    return _common(released / max(float(released.sum()), 1e-9), _shares(setting, truth, slice(None)))


def overlap_by_language(one: Trial, setting: Setting, truth: Truth) -> dict[str, float]:
    """The same within each language that the policy's facet of that name knows; what the gate hides is missing."""
    declared = next((facet.domain for facet in facets_of(setting.policy) if facet.name == LANGUAGE), ())
    stands_for = majority(one.leaves(), truth.category)
    found = {}
    for code, name in enumerate(truth.languages):
        if name in declared:
            column = declared.index(name)
            spoken = np.zeros(len(truth.categories))
            for place, category in stands_for.items():
                spoken[category] += _cell(one, setting, place, column)
            whole = max(one.tree.facets[LANGUAGE][column].value, float(spoken.sum()), 1e-9)
            found[name] = _common(spoken / whole, _shares(setting, truth, np.flatnonzero(truth.language == code)))
    return found


def _cell(one: Trial, setting: Setting, place: int, column: int) -> float:
    """Released users of one language in one leaf; nothing where the gate would show no number."""
    cell = one.levels[0][place].facets[LANGUAGE][column]
    shown = decide.release_cell(setting.policy.thresholds, users=cell.value, sigma=cell.sigma).allowed
    return cell.value if shown else 0.0


def _shares(setting: Setting, truth: Truth, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
    """True shares of (user, category) pairs among these rows: a user counts once in each category."""
    units = setting.epoch.unit_of[rows].astype(np.int64)
    pairs = np.unique(np.stack([units, truth.category[rows]], axis=1), axis=0)
    held = np.bincount(pairs[:, 1], minlength=len(truth.categories)).astype(np.float64)
    return held / max(float(held.sum()), 1.0)


def _common(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.minimum(one, other).sum())
