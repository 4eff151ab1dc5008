"""What the workers draw is what is charged: every other audit draws in process, and only theirs can be released."""

from __future__ import annotations

import numpy as np
import pytest
from mutants import IN_THE_WORKERS

from draws import as_wide_as, looks_like, singletons_allowed, unlike
from sfumato.privacy import mechanisms
from sfumato.privacy.noise import PIECE

SCALE = 5.0
WIDE = 6.5e6  # as of sums in fixed-point steps
KEYS = 20_000


def faults(noise):
    """What is wrong with two Gaussian answers, the first of them in two pieces, and with two selections."""
    first = noise.gaussian(np.zeros(PIECE + KEYS, np.int64), SCALE)
    again = noise.gaussian(np.zeros(KEYS, np.int64), SCALE)
    wide = noise.gaussian(np.zeros((4, KEYS // 10), np.int64), WIDE).ravel()
    often = noise.selection(dict.fromkeys(range(KEYS), 1000), SCALE, 10)
    threshold = mechanisms.selection_threshold(scale=SCALE, delta=1_000_000, l0=1, linf=1)
    single = noise.selection(dict.fromkeys(range(KEYS), 1), SCALE, threshold)
    head, tail = first[:KEYS], first[PIECE:]
    checks = {
        "shape of a first piece": looks_like(head, SCALE),
        "shape of a second piece": looks_like(tail, SCALE),
        "shape of a second answer": looks_like(again, SCALE),
        "width of a large scale": as_wide_as(wide, WIDE),
        "neighbours": unlike(head[0::2], head[1::2]),
        "pieces": unlike(head, tail),
        "answers": unlike(head, again),
        "keys selected": len(often) == KEYS,
        "shape of selected counts": looks_like(np.fromiter(often.values(), np.int64) - 1000, SCALE),
        "keys of one user": len(single) <= singletons_allowed(KEYS, 1e-3),
    }
    return [name for name, right in checks.items() if not right]


def test_the_noise_of_the_workers_is_the_noise_that_is_charged(noise):
    assert faults(noise) == []


@pytest.mark.parametrize("mutant", IN_THE_WORKERS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_the_workers_is_caught(noise, mutant):
    with mutant():
        assert faults(noise)
