"""How a question is measured: its cells, how much of one unit counts in them, and the charge and noise of each part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sfumato.live.frame import HALF
from sfumato.model.question import TOPIC
from sfumato.privacy import mechanisms
from sfumato.topics.counting import VALUES_PER_UNIT
from sfumato.topics.counts import STEPS

if TYPE_CHECKING:
    from sfumato.live.frame import Axis, Frame, Scale
    from sfumato.live.terms import Terms
    from sfumato.model.question import Measure, Question

MOST_CELLS = 2**14  # 0.3 s of noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One measurement. rho: nano units. l2: what one unit changes at most, in steps, of which `step` make one."""

    name: Measure
    rho: int
    l2: float
    step: int

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise; of a mean, of the sum of the users' places between -1 and 1."""
        return _scale(self.rho, self.l2) / self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One unit counts in `l0` of `size` cells, and with `reach` conversations in full. parts: users first."""

    axes: tuple[Axis, ...]
    size: int
    l0: int
    reach: int
    parts: tuple[Part, ...]
    scale: Scale | None


def design(question: Question, frame: Frame, terms: Terms) -> Design | None:
    """How this question, known to the frame, is measured; None where it has more cells than are answered.

    Users are always counted, since what is shown rests on them; what else is asked shares the charge with them.
    """
    axes = frame.axes(question) or []
    size, width = math.prod(len(axis.labels) for axis in axes), math.prod(axis.several for axis in axes)
    if size > MOST_CELLS:
        return None
    most = terms.plan.topics.topics_per_user if TOPIC in question.by else VALUES_PER_UNIT
    l0 = min(size, most, terms.conversations * width)
    reach = math.ceil(min(frame.reach, terms.conversations) * math.sqrt(min(width, l0)))
    l2 = mechanisms.l2_of(l0=l0, linf=1)
    scale = None if question.of is None else frame.scale(question.of)
    if question.measure == "users":
        parts: tuple[Part, ...] = (Part(name="users", rho=terms.rho, l2=l2, step=1),)
    else:
        half = terms.rho // 2
        second = (
            Part(name="mean", rho=half, l2=mechanisms.l2_of(l0=l0, linf=HALF), step=HALF)
            if question.measure == "mean"
            else Part(name="conversations", rho=half, l2=float(reach * STEPS), step=STEPS)
        )
        parts = (Part(name="users", rho=terms.rho - half, l2=l2, step=1), second)
    return Design(axes=tuple(axes), size=size, l0=l0, reach=reach, parts=parts, scale=scale)


@cache
def _scale(rho: int, l2: float) -> float:
    return mechanisms.gaussian_scale(rho=rho, l2=l2)
