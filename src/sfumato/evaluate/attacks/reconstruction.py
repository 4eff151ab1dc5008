"""Reconstruction (Dinur and Nissim 2003): every question that the budget buys, solved for one bit of each person.

The attacker has as many API keys as they like. They know everybody's marks, so of each question they know whom it
counts; they do not know who has the trait. They ask how many have it among random halves of the people until nobody is
answered any more, and solve the noisy equations. The questions go to a desk like any other's: budget, ledger, caps,
thresholds and noise are the real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks import live_site
from sfumato.evaluate.attacks.live_site import MARKS
from sfumato.evaluate.attacks.rehearsal import DATASET, EPOCH
from sfumato.evaluate.attacks.report import Control, Outcome
from sfumato.live import design
from sfumato.model.guarantee import NANO
from sfumato.model.question import Ask
from sfumato.model.strict_json import loads
from sfumato.policy import decide
from sfumato.privacy import accounting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.live_site import People
    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.live.desk import Desk
    from sfumato.live.terms import Terms as LiveTerms
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import OpenDPNoise

KNOWS = (
    "whom every question counts: all marks of everybody; which answers are given at what scale of noise; any number of "
    "API keys"
)
KEPT = 0.8  # of a mark's values that a question lets through: half of the people, over three marks
ROOM = 1.3  # so many times the threshold are expected in a cell
FEWEST = 200
PRIOR = 0.25  # variance of a fair bit
LESS_NOISE = (1, 4, 100, 10_000)  # times less variance than stated: all that an attacker tries
CONTROL_PEOPLE = 150
CONTROL_QUESTIONS = 2 * CONTROL_PEOPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """asked: (q, n) whom each answered question counted. answers: (q,) noisy numbers of those with the trait."""

    asked: NDArray[np.float64]
    answers: NDArray[np.float64]


def attack(under: Terms, *, trials: int, noise: OpenDPNoise, advance: Callable[[int], None]) -> Outcome:
    """Each trial: new people, their release, all questions. Success: a person's bit is guessed right.

    most_allowed: of a fair bit whose answers come with Gaussian noise of this rho in all, the likelihood-ratio test is
    right with probability Phi(sqrt(2 rho) / 2) (Dong, Roth and Su 2022).

    Raises:
        Refused: the policy is guarded.
    """
    under.must_answer()
    policy = live_site.questioned(under.policy)
    priced = live_site.terms(policy)
    draw = np.random.default_rng()
    hits = told = questions = answered = rho = 0
    for _ in range(trials):
        who = live_site.people(_enough(policy, priced), draw)
        with live_site.desk(policy, who, noise=noise) as (desk, ledger):
            heard, asked = _interrogated(desk, who, draw)
            rho = sum(entry.rho for entry in ledger.entries() if entry.purpose == "queries")
        guess = solved(heard, variance=_sigma(priced) ** 2)
        hits, told = hits + int((guess == who.trait).sum()), told + len(who)
        questions, answered = questions + asked, answered + len(heard.answers)
        advance(1)
    epsilon, delta = accounting.stated(rho=rho, selection_delta=0, conversion_delta=priced.plan.conversion_delta)
    return Outcome(
        attack="reconstruction",
        knows=KNOWS,
        hits=hits,
        trials=told,
        baseline=0.5,
        epsilon=epsilon,
        delta=delta,
        mode=under.plan.mode,
        control=Control(what="the same equations without noise, two for each person", success=_without_noise(draw)),
        details={
            "most_allowed": round(NormalDist().cdf(math.sqrt(2 * rho / NANO) / 2), 4),
            "people": told // trials,
            "questions": questions // trials,
            "answered": answered // trials,
            "live": "the policy's" if under.policy.queries.live else "added by the attack",
        },
    )


def solved(heard: Heard, *, variance: float) -> NDArray[np.bool_]:
    """(n,) each person's likelier bit: the posterior mean of fair bits, taken as Gaussian, given noisy sums of them.

    variance: of the noise, as it is stated; the attacker believes in less of it where the answers are likelier then.
    """
    asked, answers = heard.asked, heard.answers
    if not len(answers):
        return np.zeros(asked.shape[1], np.bool_)
    over, spread = answers - asked.sum(axis=1) / 2, PRIOR * (asked @ asked.T)
    believed = max((variance / less for less in LESS_NOISE), key=lambda one: _likely(over, spread, one))
    weight = np.linalg.solve(spread + believed * np.eye(len(answers)), over)
    return np.asarray(asked.T @ weight > 0)


def _likely(over: NDArray[np.float64], spread: NDArray[np.float64], variance: float) -> float:
    """Log likelihood, but for a constant, of sums that lie so far over their means, with noise of this variance."""
    factor = np.linalg.cholesky(spread + variance * np.eye(len(over)))
    return float(-np.log(np.diag(factor)).sum() - (np.linalg.solve(factor, over) ** 2).sum() / 2)


def _interrogated(desk: Desk, who: People, draw: np.random.Generator) -> tuple[Heard, int]:
    """Questions until the budget is spent, a new API key whenever one's share is; and how many were charged."""
    asked, answers, key, questions = [], [], 0, 0
    fresh = True
    while True:
        chosen = _half(draw)
        ask = Ask(dataset=DATASET, epochs=(EPOCH,), question=live_site.how_many(chosen))
        said = desk.reply(ask, analyst=f"{key:016x}", role="analyst")
        if said.outcome == "exhausted":
            if fresh:
                break
            key, fresh = key + 1, True
            continue
        if said.outcome == "busy":
            continue  # the clock goes on with every question
        fresh, questions = False, questions + 1
        for number in _numbers(said.body):
            asked.append(_counted(who, chosen))
            answers.append(number)
    return Heard(asked=np.reshape(asked, (-1, len(who))), answers=np.asarray(answers, np.float64)), questions


def _half(draw: np.random.Generator) -> dict[str, NDArray[np.int16]]:
    """Some values of each mark."""
    return {
        name: np.sort(draw.permutation(size)[: round(KEPT * size)]).astype(np.int16) for name, size in MARKS.items()
    }


def _counted(who: People, chosen: Mapping[str, NDArray[np.int16]]) -> NDArray[np.float64]:
    """(n,) whom a question counts if they have the trait."""
    inside = [np.isin(who.marks[name], values) for name, values in chosen.items()]
    return np.asarray(np.logical_and.reduce(inside), np.float64)


def _numbers(body: bytes) -> Iterator[float]:
    """The one number of an answer, unless it was withheld."""
    answers = loads(body)["answers"]
    for one in answers if isinstance(answers, list) else ():
        cells = one["cells"] if isinstance(one, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            numbers = cell["numbers"] if isinstance(cell, dict) else None
            users = numbers["users"] if isinstance(numbers, dict) else None
            if isinstance(users, dict):
                yield float(str(users["value"]))


def _sigma(priced: LiveTerms) -> float:
    """Standard deviation of the noise of an answer."""
    question, against = live_site.how_many(_half(np.random.default_rng(0))), live_site.frame(priced)
    made = design.design(question, against, priced)
    if made is None:
        raise ValueError("a question without a breakdown has one cell")
    return made.parts[0].sigma


def _enough(policy: Policy, priced: LiveTerms) -> int:
    """So many people that half of a half of them are shown."""
    least = max(policy.thresholds.min_users, decide.NOISE_FLOOR * _sigma(priced))
    return max(FEWEST, round(4 * ROOM * least))


def _without_noise(draw: np.random.Generator) -> float:
    """The share of bits that the same solver gets right from exact answers."""
    who = live_site.people(CONTROL_PEOPLE, draw)
    asked = np.asarray([_counted(who, _half(draw)) for _ in range(CONTROL_QUESTIONS)])
    guess = solved(Heard(asked=asked, answers=asked @ who.trait), variance=1e-3)
    return float((guess == who.trait).mean())
