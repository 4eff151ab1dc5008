"""Two attacks on single live answers: differences of two questions, and what an answer shows beside its numbers.

Everything is known of everybody but the target. Questions are measured as a desk measures them, with the noise that is
charged; the ledger is left out, so that they can be asked more often than any budget allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks import live_site
from sfumato.evaluate.attacks.live_site import MARKS, TRAIT
from sfumato.evaluate.attacks.lower_bound import best_accuracy, bounds
from sfumato.evaluate.attacks.telling_apart import FEWEST, told_apart
from sfumato.evaluate.attacks.transcript import InProcess, NoNoise
from sfumato.live import answer, design, measure
from sfumato.model.question import Question, tidy
from sfumato.privacy import accounting
from sfumato.privacy.measure import Measurer

if TYPE_CHECKING:
    from sfumato.live.columns import Columns
    from sfumato.live.frame import Frame
    from sfumato.live.terms import Terms
    from sfumato.model.strict_json import JsonObject
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import NoiseSource, OpenDPNoise

PEOPLE = 400
ROUNDS = 400  # of two questions, half of them with the target
ANSWERS = 20


def between_questions(policy: Policy) -> JsonObject:
    """Everybody less everybody without the target's mark, which nobody else has: is one left?"""
    under = live_site.terms(live_site.questioned(policy))
    sides = _sides(under)
    seen = [np.asarray([_difference(side, under, InProcess()) for _ in range(ROUNDS // 2)]) for side in sides]
    exact = [np.tile(_difference(side, under, NoNoise()), (FEWEST, 1)) for side in sides]
    errors, without = told_apart(*seen), told_apart(*exact)
    epsilon, delta = accounting.stated(
        rho=2 * under.rho, selection_delta=0, conversion_delta=under.plan.conversion_delta
    )
    return {
        "success": round(errors.right / errors.runs, 4),
        "without_noise": round(without.right / without.runs, 4),
        "epsilon": round(epsilon, 4),
        "epsilon_lower": bounds(errors, delta=delta)["epsilon_lower"],
        "most_allowed": round(best_accuracy(epsilon, delta), 4),
    }


def form_of_answers(policy: Policy, *, noise: OpenDPNoise) -> JsonObject:
    """Answers about a target who stands alone in a cell: do status, size or the order of cells ever differ?

    told_apart: whether anything but numbers differed between any two answers, with or without the target.
    """
    under = live_site.terms(live_site.questioned(policy))
    forms = {_form(side, under, noise) for side in _sides(under) for _ in range(ANSWERS // 2)}
    return {"answers": ANSWERS, "told_apart": len(forms) > 1}


def _sides(under: Terms) -> tuple[Columns, Columns]:
    """Without the target and with them; the first mark's last value is theirs alone."""
    everybody = live_site.people(PEOPLE, np.random.default_rng(0))
    name, size = next(iter(MARKS.items()))
    mark = everybody.marks[name]
    mark[mark == size - 1] = 0
    mark[-1] = size - 1
    everybody.trait[-1] = True
    return live_site.loaded(everybody.without(len(everybody) - 1), under), live_site.loaded(everybody, under)


def _difference(side: Columns, under: Terms, noise: NoiseSource) -> list[float]:
    """Both counts and their difference."""
    name, size = next(iter(MARKS.items()))
    everybody = {name: np.arange(size, dtype=np.int16)}
    others = {name: np.arange(size - 1, dtype=np.int16)}
    first, second = (_users(side, live_site.how_many(chosen), under, noise) for chosen in (everybody, others))
    return [first, second, first - second]


def _users(side: Columns, asked: Question, under: Terms, noise: NoiseSource) -> float:
    question, made, against = _read(asked, under)
    measurer = Measurer(noise, rho=under.rho, delta=0)
    users, _ = measure.measured(side, question, against, design=made, measurer=measurer)
    return float(users.values[0])


def _form(side: Columns, under: Terms, noise: NoiseSource) -> tuple[object, ...]:
    """What an answer shows beside its numbers: its outcome, its bytes, its cells in their order."""
    question, made, against = _read(tidy(Question(measure="users", by=(TRAIT, next(iter(MARKS))))), under)
    measurer = Measurer(noise, rho=under.rho, delta=0)
    users, other = measure.measured(side, question, against, design=made, measurer=measurer)
    cells = answer.cells(made, users, other, under.policy.thresholds)
    said = answer.answered(question, made, under, digest="0" * 64, shown=cells)
    whole = answer.together([said], widest=answer.widest(question, made, under))
    return said["outcome"], len(whole), tuple(cell.at for cell in cells)


def _read(asked: Question, under: Terms) -> tuple[Question, design.Design, Frame]:
    against = live_site.frame(under)
    question = against.read(asked)
    made = None if question is None else design.design(question, against, under)
    if question is None or made is None:
        raise ValueError("the made-up facets can all be asked about")
    return question, made, against
