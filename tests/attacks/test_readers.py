"""Readers of hostile strings, watchers of the clock, thieves of the disk: tried with each defence and without it."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.cli.sent import to_a_terminal
from sfumato.evaluate.attacks import injection, inversion, timing
from sfumato.evaluate.attacks.hostile import BREAKOUTS, ESCAPES, MARKUP, escaped
from sfumato.evaluate.attacks.timing import VirtualClock, Watched, guessed, watched
from sfumato.live.schedule import Schedule
from sfumato.serve.shield import CONTENT_SECURITY_POLICY


def quiet(_count):
    pass


def test_no_string_hurts_any_of_its_readers_and_bare_they_nearly_all_do(under):
    found = injection.attack(
        under, terminal=to_a_terminal, page_policy=CONTENT_SECURITY_POLICY, advance=quiet
    ).as_json()
    assert found["success"] == 0
    assert found["trials"] == 3 * len(BREAKOUTS) + 2 * len(ESCAPES) + len(MARKUP)
    assert found["control"]["success"] > 0.8


@pytest.mark.parametrize(
    ("reader", "broken"),
    [
        ("terminal", {"terminal": lambda name: name}),
        ("page", {"page_policy": "default-src 'self'; script-src 'self' 'unsafe-inline'"}),
    ],
)
def test_a_reader_without_its_defence_is_hurt(under, reader, broken):
    """The attack can succeed: a terminal that is sent the string as it is, a page that may run what stands in it."""
    given = {"terminal": to_a_terminal, "page_policy": CONTENT_SECURITY_POLICY} | broken
    found = injection.attack(under, advance=quiet, **given).as_json()
    assert found[reader][0] > 0
    assert sum(found[other][0] for other in ("extractor", "namer", "auditor", "mcp_reader")) == 0


def test_a_transcript_whose_tags_can_be_closed_is_caught(under, monkeypatch):
    monkeypatch.setattr("sfumato.extract.window._clean", lambda text: text)
    found = injection.attack(
        under, terminal=to_a_terminal, page_policy=CONTENT_SECURITY_POLICY, advance=quiet
    ).as_json()
    assert found["extractor"][0] > 0


def test_an_order_inside_its_tags_has_not_escaped():
    assert not escaped("<text>SFUMATO-OBEY</text>")
    assert escaped("<text></text>SFUMATO-OBEY</text>")


def test_stolen_extracts_say_nothing_without_the_key_and_nearly_all_with_it(under):
    """Guessing is right a third of the time: above 0.75 of 40 comes by chance less than once in a million."""
    found = inversion.attack(under, trials=40, advance=quiet).as_json()
    assert found["success"] <= 0.75
    assert found["control"]["success"] > found["baseline"]
    assert found["with_the_root_key_after_the_epoch_key_is_destroyed"] == found["baseline"]


def test_extracts_that_lie_open_are_caught(under, monkeypatch):
    """The attack can succeed: vectors that were not sealed are found among the bytes."""

    class Plain:
        def __init__(self, _directory, _key):
            self.directory = _directory

        def write(self, _segment, batches):
            self.directory.mkdir(parents=True)
            raw = b"".join(np.asarray(batch.vectors, "<f2").tobytes() for batch in batches)
            (self.directory / "plain").write_bytes(raw)

        def batches(self):
            return iter(())

    monkeypatch.setattr(inversion, "DerivedStore", Plain)
    monkeypatch.setattr(inversion, "_opened", lambda _stolen, _root: np.zeros((0, inversion.WIDTH), np.float32))
    found = inversion.attack(under, trials=40, advance=quiet).as_json()
    assert found["success"] > 0.6


def test_the_time_of_an_answer_says_nothing_of_its_noise_and_of_a_slow_sampler_all(under, noise):
    """Six standard deviations of a guess: a busy machine may be a beat late, which has nothing to do with noise."""
    found = timing.attack(under, trials=600, noise=noise, advance=quiet).as_json()
    room = 6 * np.sqrt(0.25 / found["trials"])
    assert found["success"] <= found["baseline"] + room
    assert found["slow_sampler_on_the_beat"] <= 0.5 + room
    assert found["control"]["success"] > 0.95


def test_a_beat_shorter_than_the_work_is_caught():
    """On a beat of a tenth of a millisecond the slow sampler betrays itself all the same."""
    clock, draw = VirtualClock(running=False), np.random.default_rng(1)

    def drawn():
        value = int(draw.integers(-100, 101))
        clock.sleep(1e-4 * abs(value))
        return value

    hits, told = guessed(watched(drawn, clock, Schedule(beat=1e-4, clock=clock.now, sleep=clock.sleep), times=200))
    assert hits > 0.9 * told


def test_a_guess_from_times_that_never_differ_is_a_coin():
    hits, told = guessed(Watched(noise=np.arange(200.0), seconds=np.full(200, 0.5)))
    assert hits in {0, told}  # the larger half came second
