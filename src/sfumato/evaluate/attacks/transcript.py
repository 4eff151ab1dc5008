"""What a discovery asked of its noise with and without one user, question by question, and how telling answers are.

The second run is given the very answers of the first, so all adaptive choices agree: each pair of statistics is
neighbouring in the sense of the composition theorem. The noise here is drawn in process: the door would refuse it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sfumato.privacy import mechanisms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.privacy.noise import NoiseSource

    Values: TypeAlias = NDArray[np.int64] | dict[int, int]
    Often: TypeAlias = NDArray[np.int64] | list[dict[int, int]]

CERTAIN = 60.0  # log likelihood ratio of what one side can't answer
_NORMAL = NormalDist()


class InProcess:
    """OpenDP's noise without its workers: fast, and never to be published."""

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """As `OpenDPNoise.gaussian`."""
        return mechanisms.draw_gaussian(values, scale)

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
        """As `OpenDPNoise.selection`."""
        return mechanisms.draw_selection(dict(counts), scale, threshold)


class NoNoise:
    """The positive control of attacks on noise: exact answers, and an exact threshold."""

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """The values."""
        del scale
        return values.copy()

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
        """The counts that reach the threshold."""
        del scale
        return {key: count for key, count in counts.items() if count >= threshold}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One exact statistic and the noise asked for; a selection has a threshold."""

    values: Values
    scale: float
    threshold: int | None = None

    def answered(self, noise: NoiseSource) -> Values:
        """One noisy answer."""
        if isinstance(self.values, dict):
            return noise.selection(self.values, self.scale, self.threshold or 1)
        return noise.gaussian(self.values, self.scale)

    def often(self, noise: NoiseSource, times: int) -> Often:
        """So many answers: (times, ...) numbers, all of them drawn in one call, or as many selections."""
        if isinstance(self.values, dict):
            return [noise.selection(self.values, self.scale, self.threshold or 1) for _ in range(times)]
        return noise.gaussian(np.broadcast_to(self.values, (times, *self.values.shape)).copy(), self.scale)


@dataclass(slots=True, kw_only=True)
class Recorder:
    """A noise source that keeps every question and answer. answers: given instead of noise, as long as there are any.

    names: of the keys of a selection; keys are numbers of strings, which differ with who is there, so they are kept
    and replayed as numbers of `names`, which only grows.
    """

    noise: NoiseSource
    answers: Sequence[Values] = ()
    names: dict[str, int] = field(default_factory=dict)
    phrases: Sequence[str] = ()
    questions: list[Question] = field(default_factory=list)
    said: list[Values] = field(default_factory=list)

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """Noise, or what was said before."""
        answer = self._answer(Question(values=values.copy(), scale=scale))
        return np.asarray(answer)

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
        """Noise, or what was said before of the same phrases."""
        number = {key: self.names.setdefault(self.phrases[key], len(self.names)) for key in range(len(self.phrases))}
        asked = {number[key]: count for key, count in counts.items()}
        answer = self._answer(Question(values=asked, scale=scale, threshold=threshold))
        back = {new: key for key, new in number.items()}
        return {back[new]: int(answer[new]) for new in answer if new in back} if isinstance(answer, dict) else {}

    def _answer(self, question: Question) -> Values:
        place = len(self.questions)
        self.questions.append(question)
        self.said.append(self.answers[place] if place < len(self.answers) else question.answered(self.noise))
        return self.said[-1]


def moved(out: Question, within: Question) -> float:
    """How far one user moves a question, in standard deviations of its noise (Euclidean)."""
    if isinstance(out.values, dict) and isinstance(within.values, dict):
        keys = out.values.keys() | within.values.keys()
        square = sum((within.values.get(key, 0) - out.values.get(key, 0)) ** 2 for key in keys)
        return math.sqrt(square) / out.scale
    return float(np.linalg.norm((np.asarray(within.values) - np.asarray(out.values)).astype(float))) / out.scale


def likelihood(out: Question, within: Question, answer: Values) -> float:
    """Log likelihood ratio of an answer, `within` over `out`: the best test there is between the two."""
    if isinstance(answer, dict) and isinstance(out.values, dict) and isinstance(within.values, dict):
        keys = {
            key
            for key in out.values.keys() | within.values.keys()
            if out.values.get(key, 0) != within.values.get(key, 0)
        }
        total = sum(
            _selected(answer.get(key), out.values.get(key, 0), within.values.get(key, 0), out.scale, out.threshold or 1)
            for key in keys
        )
        return max(-CERTAIN, min(CERTAIN, total))
    seen = np.asarray(answer, np.float64)
    before, after = seen - np.asarray(out.values, np.float64), seen - np.asarray(within.values, np.float64)
    return float(((before * before) - (after * after)).sum() / (2 * out.scale**2))


def likelihoods(out: Question, within: Question, answers: Often) -> NDArray[np.float64]:
    """(times,) log likelihood ratios of answers given one after the other."""
    if isinstance(answers, list) or isinstance(out.values, dict) or isinstance(within.values, dict):
        return np.asarray([likelihood(out, within, answer) for answer in answers])
    before, after = (np.asarray(answers - values, np.float64) for values in (out.values, within.values))
    told = ((before * before) - (after * after)).reshape(len(answers), -1).sum(axis=1)
    return np.asarray(told / (2 * out.scale**2))


def _selected(answer: int | None, out: int, within: int, scale: float, threshold: int) -> float:
    """Of one key, where it was released with a noisy count or not at all."""
    if answer is None:
        return _unseen(within, scale, threshold) - _unseen(out, scale, threshold)
    if not out or not within:
        return CERTAIN if within else -CERTAIN
    return ((answer - out) ** 2 - (answer - within) ** 2) / (2 * scale**2)


def _unseen(count: int, scale: float, threshold: int) -> float:
    """Log probability that a key with this count is not released; nobody's key never is."""
    if not count:
        return 0.0
    return math.log(max(_NORMAL.cdf((threshold - 0.5 - count) / scale), 1e-300))
