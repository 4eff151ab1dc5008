"""What `policy explain` foretells of a release is what the release's own card states."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from gateways import gateway, policy, quiet, write_corpus
from sfumato.forecast import forecast
from sfumato.model import document

if TYPE_CHECKING:
    from pathlib import Path


def test_the_noise_that_is_foretold_is_the_noise_that_a_run_draws(tmp_path: Path) -> None:
    loaded = policy()
    with gateway(tmp_path / "data", policy=loaded) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=200)), advance=quiet)
        opened.extract(advance=quiet)
        release = document.decode(json.loads(opened.release()))
    foretold, drawn = forecast(loaded), {one.name: one for one in release.guarantee.mechanisms}
    assert foretold.selection is not None
    # A noisy profile of users decides whether fewer phrases of each count than the policy allows: never more noise.
    most, used = loaded.contributions.phrases_per_user, drawn["vocabulary"].l0
    assert 1 <= used <= most
    assert foretold.selection.floor < drawn["vocabulary"].threshold <= foretold.selection.threshold
    assert drawn["vocabulary"].sigma == pytest.approx(foretold.selection.sigma * math.sqrt(used / most), rel=0.01)
    levels = {noise.name: noise for noise in foretold.levels}
    assert "leaf users" in levels.keys() & drawn.keys()
    for name in levels.keys() & drawn.keys():
        assert 0.99 * levels[name].low <= drawn[name].sigma <= 1.01 * levels[name].high, name
    assert release.guarantee.epsilon <= foretold.epsilon + 1e-9
