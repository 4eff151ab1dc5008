"""When an answer leaves: at the next beat after the question came, so that its time says next to nothing."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Beats are counted from the moment of each question: whatever is said to it, it is said on a beat."""

    beat: float = BEAT_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self, since: float) -> None:
        """Sleep until a whole number of beats, one at least, has passed since then."""
        beats = max(1, math.ceil((self.clock() - since) / self.beat))
        while (left := since + beats * self.beat - self.clock()) > 0:
            self.sleep(left)
