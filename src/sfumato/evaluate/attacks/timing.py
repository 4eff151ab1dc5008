"""Timing: does how long an answer took say how large its noise was? Who knows the noise knows the exact number.

The attacker has a perfect clock at the other end of the worker's socket, knows how long answers of the same noise scale
take, and trains on half of the trials. An answer leaves on a beat counted from its question, so they see a whole number
of beats. Closer by, a clock on the bare draw sees more; that figure stands beside it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.evaluate.attacks.report import Control, Outcome, interval
from sfumato.live.schedule import Schedule
from sfumato.privacy import mechanisms

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.privacy.noise import NoiseSource

KNOWS = "when each question was asked and when its answer came, to the nanosecond; and how long such answers take"
SHARE = 100  # of the release's rho one draw is charged a hundredth
SLOW, PER_STEP = 0.001, 0.01  # seconds of a sampler that takes longer for larger noise
THRESHOLDS = 50


@dataclass(slots=True, kw_only=True)
class VirtualClock:
    """Time that passes as on the wall, and jumps when somebody sleeps or works in it."""

    ahead: float = 0.0
    running: bool = True

    def now(self) -> float:
        """Seconds."""
        return self.ahead + (time.perf_counter() if self.running else 0.0)

    def sleep(self, seconds: float) -> None:
        """No time on the wall."""
        self.ahead += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """(n,) magnitudes of noise and the seconds that each answer took, to who watched."""

    noise: NDArray[np.float64]
    seconds: NDArray[np.float64]


def attack(under: Terms, *, trials: int, noise: NoiseSource, advance: Callable[[int], None]) -> Outcome:
    """Success: from the time of an answer alone, whether its noise is of the larger half.

    Raises:
        Refused: the policy is guarded.
    """
    under.must_answer()
    scale = mechanisms.gaussian_scale(rho=max(under.plan.rho // SHARE, 1), l2=1.0)
    nothing = np.zeros(1, np.int64)
    clock = VirtualClock()
    beats = Schedule(clock=clock.now, sleep=clock.sleep)
    seen = watched(lambda: int(noise.gaussian(nothing, scale)[0]), clock, beats, times=trials)
    advance(trials)
    bare = watched(lambda: int(mechanisms.draw_gaussian(nothing, scale)[0]), VirtualClock(), None, times=trials)
    hits, told = guessed(seen)
    bare_hits, _ = guessed(bare)
    held, slow = _slow(scale, trials, beat=False), _slow(scale, trials, beat=True)
    return Outcome(
        attack="timing",
        knows=KNOWS,
        hits=hits,
        trials=told,
        baseline=blind(seen),
        epsilon=under.policy.guarantee.budget.epsilon,
        delta=under.policy.guarantee.budget.delta,
        mode=under.plan.mode,
        control=Control(what="a sampler that takes longer for larger noise, without the beat", success=held),
        details={
            "beats": [int(low) for low in np.unique(np.rint(seen.seconds / beats.beat))],
            "bare_draw": round(bare_hits / told, 4),
            "bare_draw_interval": interval(bare_hits, told),
            "slow_sampler_on_the_beat": round(slow, 4),
        },
    )


def watched(drawn: Callable[[], int], clock: VirtualClock, beats: Schedule | None, *, times: int) -> Watched:
    """Draws one after the other, each answered on the beat if there is one."""
    noise, seconds = np.zeros(times), np.zeros(times)
    for place in range(times):
        since = clock.now()
        noise[place] = abs(drawn())
        if beats is not None:
            beats.wait(since)
            seconds[place] = round((clock.now() - since) / beats.beat) * beats.beat
        else:
            seconds[place] = clock.now() - since
    return Watched(noise=noise, seconds=seconds)


def blind(seen: Watched) -> float:
    """The share that is right of always the same answer: noise is of whole numbers, so its halves differ a little."""
    large = seen.noise[len(seen.noise) // 2 :] > np.median(seen.noise)
    return float(max(large.mean(), 1 - large.mean()))


def guessed(seen: Watched) -> tuple[int, int]:
    """How many of the second half are told right by the best threshold of the first, and how many there are."""
    half = len(seen.noise) // 2
    large = seen.noise > np.median(seen.noise)
    edges = np.quantile(seen.seconds[:half], np.linspace(0, 1, THRESHOLDS))
    right = [float(((seen.seconds[:half] > edge) == large[:half]).mean()) for edge in edges]
    best = int(np.argmax(np.abs(np.asarray(right) - 0.5)))
    guess = (seen.seconds[half:] > edges[best]) == (right[best] >= 0.5)  # noqa: PLR2004 - which way round
    return int((guess == large[half:]).sum()), len(seen.noise) - half


def _slow(scale: float, trials: int, *, beat: bool) -> float:
    """The same against a sampler whose time grows with its noise, in a time of its own."""
    clock, draw = VirtualClock(running=False), np.random.default_rng()

    def drawn() -> int:
        value = round(draw.normal(0, scale))
        clock.sleep(SLOW + PER_STEP * abs(value) / max(scale, 1.0))
        return value

    beats = Schedule(clock=clock.now, sleep=clock.sleep) if beat else None
    hits, told = guessed(watched(drawn, clock, beats, times=trials))
    return hits / told
