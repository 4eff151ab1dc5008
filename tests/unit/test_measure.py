"""The Measurer: every number it gives was charged, recorded and drawn by the noise source; nothing passes beside it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sfumato.errors import BudgetExhausted, NoiseFailure
from sfumato.privacy import mechanisms
from sfumato.privacy.measure import Measurer
from sfumato.privacy.noise import OpenDPNoise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Silence:
    """A noise source that adds none and remembers what it was given. Its results can't pass the door."""

    def __init__(self) -> None:
        self.scales: list[float] = []

    def gaussian(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        self.scales.append(scale)
        return values.copy()

    def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
        self.scales.append(scale)
        return {key: count for key, count in counts.items() if count >= threshold}


ZEROS = np.zeros(4, np.int64)


def test_a_plan_that_would_pass_its_reservation_is_stopped_before_any_noise() -> None:
    silence = Silence()
    measurer = Measurer(silence, rho=100, delta=0)
    measurer.counts("a", ZEROS, rho=60, l0=1, statistic="s")
    with pytest.raises(BudgetExhausted):
        measurer.counts("b", ZEROS, rho=41, l0=1, statistic="s")
    with pytest.raises(BudgetExhausted):
        measurer.select("c", {1: 5}, rho=10, delta=10, l0=1, statistic="s")
    assert len(silence.scales) == 1
    assert (measurer.rho_left, len(measurer.mechanisms)) == (40, 1)


def test_the_scale_follows_the_bounds_that_were_declared() -> None:
    silence = Silence()
    measurer = Measurer(silence, rho=3_000_000, delta=0)
    measurer.counts("users", ZEROS, rho=1_000_000, l0=1, statistic="s")
    measurer.counts("users", ZEROS, rho=1_000_000, l0=9, statistic="s")
    measurer.sums("sums", ZEROS, rho=1_000_000, l2=50, statistic="s")
    assert np.allclose(np.array(silence.scales) / silence.scales[0], [1, 3, 50])


def test_what_is_charged_covers_the_maps_of_what_was_run() -> None:
    measurer = Measurer(Silence(), rho=10_000_000, delta=500)
    measurer.counts("users", ZEROS, rho=4_000_000, l0=5, statistic="s")
    measurer.select("phrases", {1: 500}, rho=5_000_000, delta=400, l0=6, floor=3, statistic="s")
    ran = measurer.mechanisms
    maps = sum(float(mechanisms.gaussian_rho(scale=m.sigma, l2=m.l2)) for m in ran)
    assert maps * 1e9 <= sum(m.rho for m in ran) == 9_000_000
    assert [m.threshold is None for m in ran] == [True, False]


def test_keys_under_the_floor_never_reach_the_mechanism() -> None:
    given: dict[int, int] = {}

    class Watching(Silence):
        def selection(self, counts: Mapping[int, int], scale: float, threshold: int) -> dict[int, int]:
            given.update(counts)
            return dict(counts)

    selected = Measurer(Watching(), rho=10**9, delta=10).select(
        "phrases", {1: 1, 2: 2, 3: 3, 4: 40}, rho=10**8, delta=10, l0=1, floor=3, statistic="s"
    )
    assert given == {3: 1, 4: 38}
    assert selected.counts == {3: 3, 4: 40}


def test_a_worker_that_dies_is_one_line_of_ours_and_not_a_hang() -> None:
    with OpenDPNoise(workers=1) as noise:
        noise.gaussian(ZEROS, 1.0)
        for pid in list(noise._pool._processes):  # type: ignore[union-attr]
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(NoiseFailure, match="stays spent"):
            noise.gaussian(ZEROS, 1.0)


def test_noise_in_workers_keeps_shape_and_order() -> None:
    values = np.arange(150_000, dtype=np.int64).reshape(300, 500) * 1000
    with OpenDPNoise(workers=2) as noise:
        noisy = noise.gaussian(values, 1.0)
    assert noisy.shape == values.shape
    assert np.abs(noisy - values).max() < 10
    assert (noisy != values).any()
