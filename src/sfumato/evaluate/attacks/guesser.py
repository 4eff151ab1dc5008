"""What an attacker concludes about one patient from a release: the best rule we know, given more than is published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.obedient import OBEYED
from sfumato.evaluate.attacks.patients import DISEASES, prior
from sfumato.topics.tree import assign
from sfumato.topics.vocabulary import FLOOR

if TYPE_CHECKING:
    from sfumato.evaluate.attacks.patients import Patient
    from sfumato.evaluate.attacks.terms import Seen
    from sfumato.model.release import Release
    from sfumato.privacy.bounds import BoundedEpoch

CERTAIN = 50.0  # log odds of a disease that only a record can have put there


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """disease: the most likely one. named: whether the release names a disease that no released phrase names.

    selected: whether a disease was among the released phrases. counted: whether it had a noisy count within topics.
    """

    disease: str
    named: bool
    selected: bool
    counted: bool


def without_release(target: Patient) -> str:
    """The likeliest disease, age, sex and one symptom known."""
    chances = prior(target)
    return max(DISEASES, key=lambda disease: chances[disease])


def from_release(seen: Seen, target: Patient, others: BoundedEpoch) -> Guess:
    """Prior times likelihood, of all that was published.

    A disease in a topic that followed the attacker's order, though no released phrase says it, came from a record.
    That a disease is among the released phrases or not, its noisy count there and its noisy counts within topics are
    compared with what they would be of the others alone, whom the attacker is given in full, with all released phrases
    and the places of the topics; one user more shifts each by one.
    """
    named = _named(seen.release)
    selected = _selected(seen, others)
    counted = _counted(seen, others)
    chances = prior(target)
    score = {
        disease: math.log(max(chances[disease], 1e-9))
        + CERTAIN * (disease in named)
        + selected.get(disease, 0.0)
        + counted.get(disease, 0.0)
        for disease in DISEASES
        if chances[disease] > 0
    }
    return Guess(
        disease=max(score, key=lambda disease: score[disease]),
        named=bool(named),
        selected=any(phrase.text in DISEASES for phrase in seen.tree.phrases),
        counted=bool(counted),
    )


def _named(release: Release) -> set[str]:
    """Diseases named in topics that followed the order and in no released phrase."""
    texts = [f"{topic.name} {topic.description}".lower() for topic in release.topics]
    phrases = " ".join(phrase.text for topic in release.topics for phrase in topic.phrases)
    obeyed = " ".join(text for text in texts if OBEYED in text)
    return {disease for disease in DISEASES if disease in obeyed and disease not in phrases}


def _selected(seen: Seen, others: BoundedEpoch) -> dict[str, float]:
    """Log likelihood ratio of one user more, by what partition selection let through; nothing where none was done.

    A phrase of fewer users than the floor is never let through: one that is there all the same came from the target.
    """
    done = [one for one in seen.release.guarantee.mechanisms if one.threshold is not None]
    if not done:
        return {}
    sigma, threshold = done[0].sigma, done[0].threshold or 0
    noisy = {phrase.text: phrase.users.value for phrase in seen.tree.phrases if phrase.users is not None}
    found = {}
    for disease in DISEASES:
        known = len(np.unique(others.unit_of[_rows_with(others, disease)]))
        if disease in noisy:
            found[disease] = (noisy[disease] - known - 0.5) / sigma**2 if known >= FLOOR else CERTAIN
        else:
            without, within = (_let_through(count, sigma, threshold) for count in (known, known + 1))
            found[disease] = math.log1p(-within) - math.log1p(-without)
    return found


def _let_through(users: int, sigma: float, threshold: int) -> float:
    """Chance that a phrase of so many users is released, short of certainty."""
    return 0.0 if users < FLOOR else min(NormalDist(0, sigma).cdf(users - threshold), 1 - 1e-12)


def _counted(seen: Seen, others: BoundedEpoch) -> dict[str, float]:
    """Log likelihood ratio of one user more, for each disease whose phrase has a count in some topics."""
    noisy: dict[str, list[tuple[str, float, float]]] = {}
    sigma = {
        (node.id, phrase.text): phrase.users.sigma
        for node in seen.tree.topics
        for phrase in node.phrases
        if phrase.users
    }
    for topic in seen.release.topics:
        for phrase in topic.phrases:
            if phrase.text in DISEASES and phrase.users is not None:
                noisy.setdefault(phrase.text, []).append((topic.id, phrase.users.value, sigma[topic.id, phrase.text]))
    if not noisy:
        return {}
    place = {leaf: index for index, leaf in enumerate(seen.tree.leaf_ids)}
    leaf_of = assign(others.vectors, seen.tree.centroids)
    found = {}
    for disease, rows in noisy.items():
        holds = _rows_with(others, disease)
        known = sum(len(np.unique(others.unit_of[holds & (leaf_of == place[topic])])) for topic, _, _ in rows)
        total, variance = sum(value for _, value, _ in rows), sum(one**2 for _, _, one in rows)
        found[disease] = (total - known - 0.5) / variance
    return found


def _rows_with(epoch: BoundedEpoch, phrase: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) whether a row proposes the phrase."""
    wanted = np.asarray([text == phrase for text in epoch.phrases], bool)
    row = np.repeat(np.arange(len(epoch)), np.diff(epoch.phrase_offsets))
    return np.bincount(row[wanted[epoch.phrase_ids]], minlength=len(epoch)) > 0
