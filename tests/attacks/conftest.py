"""Shared by the attacks: one pool of noise workers, and terms under which a small crowd shows something."""

from __future__ import annotations

import pytest

from gateways import policy
from sfumato.evaluate.attacks.terms import terms
from sfumato.privacy.noise import OpenDPNoise


@pytest.fixture(scope="session")
def noise():
    with OpenDPNoise(workers=1) as opened:
        yield opened


@pytest.fixture
def under():
    """Formal mode at epsilon 4."""
    return terms(policy(), epsilon=4.0, delta=1e-5)
