"""Ways in which the mechanisms could be wrong, each a small patch of one function: the audits must tell them all."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from unittest.mock import patch

import numpy as np

from sfumato import planning
from sfumato.evaluate.attacks.transcript import NoNoise
from sfumato.privacy import mechanisms
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import PIECE, OpenDPNoise
from sfumato.topics import counting, counts, vocabulary

DRAW, SCALE, PRICED = mechanisms.draw_gaussian, mechanisms.gaussian_scale, mechanisms.selection_threshold
SELECT, THRESHOLD_MAP, USERS = mechanisms.draw_selection, mechanisms._threshold_map, counts.users
CHECK, RESERVE, BURNED = Ledger.check, Ledger.reserve, Ledger.burned
CAPS = ("purpose_rho", "epoch_rho", "epoch_delta", "yearly_rho", "yearly_delta")


@contextmanager
def half_noise():
    """Drawn at half of the scale that is charged."""
    with (
        patch.object(mechanisms, "draw_gaussian", lambda values, scale: DRAW(values, scale / 2)),
        patch.object(mechanisms, "draw_selection", lambda held, scale, threshold: SELECT(held, scale / 2, threshold)),
    ):
        yield


@contextmanager
def no_noise():
    """Exact answers and an exact threshold, from the workers and in process."""
    exact = NoNoise()
    with (
        patch.object(mechanisms, "draw_gaussian", exact.gaussian),
        patch.object(mechanisms, "draw_selection", exact.selection),
        patch.object(OpenDPNoise, "gaussian", lambda _self, values, scale: exact.gaussian(values, scale)),
        patch.object(OpenDPNoise, "selection", lambda _self, held, scale, least: exact.selection(held, scale, least)),
    ):
        yield


@contextmanager
def half_noise_in_the_workers():
    """As above, but where the processes are asked that draw for releases: nothing else than theirs is published."""
    gaussian, selection = OpenDPNoise.gaussian, OpenDPNoise.selection
    with (
        patch.object(OpenDPNoise, "gaussian", lambda self, values, scale: gaussian(self, values, scale / 2)),
        patch.object(
            OpenDPNoise, "selection", lambda self, held, scale, least: selection(self, held, scale / 2, least)
        ),
    ):
        yield


def scale_of_one_at_most():
    """The workers never draw wider than one."""
    gaussian = OpenDPNoise.gaussian
    return patch.object(OpenDPNoise, "gaussian", lambda self, values, scale: gaussian(self, values, min(scale, 1.0)))


def pieces_alike():
    """A large question is drawn in pieces, and all pieces get the noise of the first."""
    gaussian = OpenDPNoise.gaussian

    def drawn(self, values, scale):
        flat = values.ravel()
        first = gaussian(self, np.zeros(min(PIECE, flat.size), np.int64), scale)
        return (flat + np.resize(first, flat.size)).reshape(values.shape)

    return patch.object(OpenDPNoise, "gaussian", drawn)


def keys_ignored():
    """l0 ignored: noise for one key, though a user touches several."""
    return patch.object(mechanisms, "l2_of", lambda *, l0, linf: float(linf))


def one_draw_for_a_vector():
    """One scalar added to every value of a vector; of vectors asked for together, to each vector its own."""
    return patch.object(
        mechanisms,
        "draw_gaussian",
        lambda values, scale: values + DRAW(np.zeros((*values.shape[:-1], 1), np.int64), scale),
    )


@contextmanager
def noise_shared_by_mechanisms():
    """Two histograms of one shape and scale, asked one after the other, get the same noise."""
    last = {}

    def drawn(values, scale):
        key = (values.shape, round(scale, 6))
        noise = last.pop(key, None)
        if noise is None:
            noise = last[key] = DRAW(np.zeros(values.shape, np.int64), scale)
        return values + noise

    with patch.object(mechanisms, "draw_gaussian", drawn):
        yield


@contextmanager
def threshold_run_as_priced():
    """OpenDP's selection at the threshold that it prices, not one above."""
    with (
        patch.object(mechanisms, "selection_threshold", lambda **asked: PRICED(**asked) - 1),
        patch.object(
            mechanisms,
            "selection_cost",
            lambda *, scale, threshold, l0, linf: tuple(map(Fraction, THRESHOLD_MAP(scale, threshold, l0, linf))),
        ),
    ):
        yield


@contextmanager
def phrases_published_as_they_come():
    """No threshold, no noise and no floor: whatever phrase one user has is a phrase of the release."""
    with (
        patch.object(OpenDPNoise, "selection", lambda _self, held, _scale, _threshold: dict(held)),
        patch.object(vocabulary, "FLOOR", 1),
    ):
        yield


def conversations_counted_as_users():
    """A user counts in a key once for each conversation."""

    def every_row(keys, size, measurer, *, name, rho, l0):
        many = counts.Keys(
            unit=np.repeat(keys.unit, keys.rows), key=np.repeat(keys.key, keys.rows), rows=np.ones(int(keys.rows.sum()))
        )
        return USERS(many, size, measurer, name=name, rho=rho, l0=l0)

    return patch.object(counting.counts, "users", every_row)


@contextmanager
def refund_on_error():
    """What was burned is given back: from then on the caps are as much higher."""
    held, back = {}, {"rho": 0, "delta": 0}

    def wider(caps):
        changes = {name: getattr(caps, name) + back[name.rpartition("_")[2]] for name in CAPS}
        return replace(caps, **changes)

    def reserved(self, charge, caps):
        found = RESERVE(self, charge, wider(caps))
        held[found.seq] = charge
        return found

    def burned(self, reservation):
        BURNED(self, reservation)
        back["rho"] += held[reservation.seq].rho
        back["delta"] += held[reservation.seq].delta

    with (
        patch.object(Ledger, "check", lambda self, charge, caps: CHECK(self, charge, wider(caps))),
        patch.object(Ledger, "reserve", reserved),
        patch.object(Ledger, "burned", burned),
    ):
        yield


def answers_kept_without_the_policy():
    """A stored answer is found again whatever the policy."""
    return patch.object(planning, "_only", lambda policy, sections: {})


IN_THE_NOISE = (
    half_noise, keys_ignored, one_draw_for_a_vector, noise_shared_by_mechanisms, conversations_counted_as_users
)  # fmt: skip
IN_THE_WORKERS = (no_noise, half_noise_in_the_workers, scale_of_one_at_most, pieces_alike)
NAMED = {
    "half noise": half_noise,
    "half noise, in the workers": half_noise_in_the_workers,
    "l0 ignored": keys_ignored,
    "one scalar noise for a whole vector": one_draw_for_a_vector,
    "threshold priced and run at t": threshold_run_as_priced,
    "noise reused between mechanisms": noise_shared_by_mechanisms,
    "users counted as conversations": conversations_counted_as_users,
    "refund on error": refund_on_error,
    "cache keyed without the policy": answers_kept_without_the_policy,
    "no partition selection": phrases_published_as_they_come,
}
