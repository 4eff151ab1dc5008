"""Was this user there? The attacker knows every other user, and the target contributes all that the bounds allow.

They see every noisy answer that the discovery got, more than a release shows. `mechanisms` fixes the questions and
draws their noise anew for each run; `discover` runs the whole discovery each time, with all its adaptive choices;
`gaussian` is a single Gaussian, to show that the method would find what there is to find. Where the policy declares its
topics, they are counted as it counts them, and no phrase is selected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from sfumato import discovery
from sfumato.evaluate.attacks import crowd
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.lower_bound import CONFIDENCE, Errors, best_accuracy, bounds
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.evaluate.attacks.transcript import InProcess, Question, Recorder, likelihood, likelihoods, moved
from sfumato.extract.facets import category
from sfumato.planning import TOPIC
from sfumato.privacy import accounting
from sfumato.privacy.measure import Measurer
from sfumato.topics import counting, vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.evaluate.attacks.transcript import Often, Values
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.noise import NoiseSource
    from sfumato.topics.tree import TopicTree

    Pair: TypeAlias = tuple[Question, Question]
    Work: TypeAlias = Callable[[BoundedEpoch, Measurer], None]

Level: TypeAlias = Literal["gaussian", "counts", "mechanisms", "discover"]
KNOWS = "every other user's rows, exactly; all noisy answers of the discovery, more than a release shows; the bounds"
BLOCK = 250  # runs of one question at once
TENTH, CONTROL_RUNS = 10, 20  # the control's noise, and how often it is tried
PEOPLE = 400
LEAVES = 3
UNTOUCHED = 3  # values of a question that the user does not touch, kept to see noise that values share


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """Two neighbouring epochs, what is run on them, under which terms, and the delta that it is charged."""

    out: BoundedEpoch
    within: BoundedEpoch
    work: Work
    under: Terms
    delta: int

    @property
    def rho(self) -> int:
        """What it is charged, in nano units."""
        return self.under.plan.rho

    def recorded(self, epoch: BoundedEpoch, noise: NoiseSource, other: Recorder | None = None) -> Recorder:
        """One run, its questions and answers; `other`: a run whose answers are given again."""
        names, answers = (other.names, other.said) if other else ({}, ())
        recorder = Recorder(noise=noise, answers=answers, names=names, phrases=epoch.phrases)
        self.work(epoch, Measurer(recorder, rho=self.rho, delta=self.delta))
        return recorder

    def pairs(self, first: BoundedEpoch, noise: NoiseSource) -> tuple[list[Pair], list[Values]]:
        """Questions without and with the user, adaptive choices agreeing, and the answers to those about `first`."""
        run = self.recorded(first, noise)
        again = self.recorded(self.within if first is self.out else self.out, noise, run)
        out, within = (run, again) if first is self.out else (again, run)
        return list(zip(out.questions, within.questions, strict=True)), list(run.said)


def attack(
    level: Level, under: Terms, *, trials: int, advance: Callable[[int], None], doubt: float = 1 - CONFIDENCE
) -> Outcome:
    """Half of the trials without the target, half with them; success is the share told right.

    doubt: chance that the lower bounds on epsilon are wrong.

    Raises:
        Refused: the policy is guarded.
    """
    under.must_be_formal()
    source, runs = InProcess(), trials // 2
    game = game_of(level, under)
    if level == "discover":
        tests = [_adaptive(game, source, runs, advance)]
        pairs, _ = game.pairs(game.out, source)
    else:
        pairs, _ = game.pairs(game.out, source)
        tests = _redrawn(pairs, source, runs, advance)
    claim, delta = accounting.stated(
        rho=game.rho, selection_delta=game.delta, conversion_delta=under.plan.conversion_delta
    )
    found = [bounds(test, delta=delta, tests=len(tests), doubt=doubt) for test in tests]
    best = max(found, key=lambda one: float(str(one["epsilon_lower"])))
    return Outcome(
        attack="membership",
        knows=KNOWS,
        hits=tests[0].right,
        trials=tests[0].runs,
        baseline=0.5,
        epsilon=claim,
        delta=delta,
        mode=under.plan.mode,
        control=Control(what="the same questions at a tenth of the noise", success=_tenth(pairs, source)),
        details={
            **best,
            "most_allowed": round(best_accuracy(claim, delta), 4),
            "moved": round(float(np.linalg.norm([moved(*pair) for pair in pairs])), 4),
            "level": level,
            "questions": len(pairs),
        },
    )


def game_of(level: Level, under: Terms) -> Game:
    """The stub epochs and the work of a level, under the budget of these terms; of a declared tree a few branches."""
    embedder, plan = HashedEmbedder(), under.plan
    if plan.taxonomy is not None:
        plan = replace(plan, taxonomy=crowd.branches(plan.taxonomy))
        under = replace(under, plan=plan)
    people = crowd.ordinary(PEOPLE, seed=0, embedder=embedder)
    target = crowd.extreme(plan.topics.conversations_per_user, embedder=embedder)

    def whole(epoch: BoundedEpoch, measurer: Measurer) -> None:
        topics(epoch, under, measurer, embedder=embedder)

    work: dict[Level, Work] = {
        "gaussian": _one_gaussian,
        "counts": lambda epoch, measurer: _counts(epoch, measurer, under),
        "mechanisms": whole,
        "discover": whole,
    }
    return Game(
        out=crowd.epoch(people, plan),
        within=crowd.epoch([*people, target], plan),
        work=work[level],
        under=under,
        delta=0 if level == "gaussian" or plan.taxonomy is not None else plan.delta,
    )


def topics(
    epoch: BoundedEpoch, under: Terms, measurer: Measurer, *, embedder: HashedEmbedder, leaves: int = LEAVES
) -> TopicTree:
    """What a release under these terms is made of, with the crowd's facets instead of the policy's."""
    plan = replace(under.plan.topics, leaves=leaves, screened=False, overall_only=frozenset())
    facets = tuple(category(name, values[:-1]) for name, values in crowd.FACETS.items())
    return discovery.topics(
        epoch,
        epoch.facets.get(TOPIC),
        plan=replace(under.plan, topics=plan, facets=facets),
        limits=under.policy.thresholds,
        measurer=measurer,
        embed=embedder.embed,
        namer=None,
    )


def _one_gaussian(epoch: BoundedEpoch, measurer: Measurer) -> None:
    measurer.counts("users", np.asarray([epoch.units], np.int64), rho=measurer.rho_left, l0=1, statistic="units")


def _counts(epoch: BoundedEpoch, measurer: Measurer, under: Terms) -> None:
    """The people, both facets and, where they are selected, the phrases: all of rho between them.

    These are the measurements that need no vectors.
    """
    plan, discovered = under.plan.topics, under.plan.taxonomy is None
    share = plan.rho // (1 + discovered + len(crowd.FACETS))
    charges = {"people": share, **{f"facet {facet}": share for facet in crowd.FACETS}}
    run, _ = counting.start(epoch, replace(plan, screened=False), measurer, charges)
    counting.overall_facets(run, crowd.FACETS)
    if discovered:
        vocabulary.select(epoch, measurer, limit=plan.phrases_per_user, rho=share, delta=plan.delta)


def _adaptive(game: Game, noise: NoiseSource, runs: int, advance: Callable[[int], None]) -> Errors:
    """Whole runs on both epochs; each transcript's likelihood ratio says which."""
    scores: list[list[float]] = [[], []]
    for side, epoch in enumerate((game.out, game.within)):
        for _ in range(runs):
            pairs, said = game.pairs(epoch, noise)
            scores[side].append(sum(likelihood(*pair, answer) for pair, answer in zip(pairs, said, strict=True)))
            advance(1)
    return Errors.of(np.asarray(scores[0]), np.asarray(scores[1]), 0.0)


def _redrawn(pairs: Sequence[Pair], noise: NoiseSource, runs: int, advance: Callable[[int], None]) -> list[Errors]:
    """The same questions answered anew: by likelihood ratio, and by Fisher's rule on the single values."""
    ratios: list[list[NDArray[np.float64]]] = [[], []]
    values: list[list[NDArray[np.float64]]] = [[], []]
    kept = [_kept(*pair) for pair in pairs]
    for side in (0, 1):
        for start in range(0, runs, BLOCK):
            said = [pair[side].often(noise, min(BLOCK, runs - start)) for pair in pairs]
            ratios[side].append(
                np.sum([likelihoods(*pair, answers) for pair, answers in zip(pairs, said, strict=True)], axis=0)
            )
            values[side].append(_features(pairs, said, kept))
            advance(min(BLOCK, runs - start))
    shift = _features(pairs, [_once(within) for _, within in pairs], kept)[0]
    rule = told_apart(np.concatenate(values[0]), np.concatenate(values[1]), shift)
    return [Errors.of(np.concatenate(ratios[0]), np.concatenate(ratios[1]), 0.0), rule]


def _once(question: Question) -> Often:
    """The exact values, as if they had been answered once."""
    return [question.values] if isinstance(question.values, dict) else question.values[None]


def _tenth(pairs: Sequence[Pair], noise: NoiseSource) -> float:
    """The share told right by likelihood where less noise is drawn than is charged."""
    loud = [
        (replace(out, scale=out.scale / TENTH), replace(within, scale=within.scale / TENTH)) for out, within in pairs
    ]
    ratio, _ = _redrawn(loud, noise, CONTROL_RUNS, lambda _count: None)
    return ratio.right / ratio.runs


def _kept(out: Question, within: Question) -> NDArray[np.int64]:
    """Places of the values that the user touches, and of a few that they don't; none of a selection."""
    if isinstance(out.values, dict) or isinstance(within.values, dict):
        return np.zeros(0, np.int64)
    touched = (out.values != within.values).ravel()
    return np.sort(np.r_[np.flatnonzero(touched), np.flatnonzero(~touched)[:UNTOUCHED]])


def _features(pairs: Sequence[Pair], said: Sequence[Often], kept: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """(runs, kept) answers less the exact values without the user, in standard deviations, at the kept places."""
    parts = [
        (np.asarray(answers).reshape(len(answers), -1)[:, at] - np.asarray(out.values).ravel()[at]) / out.scale
        for (out, _), answers, at in zip(pairs, said, kept, strict=True)
        if len(at)
    ]
    return np.concatenate([np.zeros((len(said[0]), 0)), *parts], axis=1)
