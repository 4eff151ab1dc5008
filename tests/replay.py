"""For sensitivity tests: one run records the exact statistics, a second one is answered with the first one's noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Recording:
    """Records statistics over known keys, answers with tame deterministic noise."""

    seen: list = field(default_factory=list)
    said: list = field(default_factory=list)

    def gaussian(self, values, scale):
        noise = np.random.default_rng(len(self.seen)).normal(0, min(scale, 3.0), values.shape)
        self.seen.append(values.copy())
        self.said.append(values + np.rint(noise).astype(np.int64))
        return self.said[-1]


class Replaying(Recording):
    """Answers with what another run said."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def gaussian(self, values, scale):
        del scale
        self.seen.append(values.copy())
        return self.first.said[len(self.seen) - 1]


def within(mechanism, before, after):
    """Whether a statistic moved by no more than its mechanism declares: keys, largest change, Euclidean norm."""
    changed = [abs(int(change)) for change in (after - before).ravel() if change]
    square = sum(change * change for change in changed)
    return (
        len(changed) <= mechanism.l0
        and max(changed, default=0) <= mechanism.linf
        and square <= round(mechanism.l2**2 * 2**20) / 2**20
    )
