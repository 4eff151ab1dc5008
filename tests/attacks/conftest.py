"""Shared by the attacks: one noise worker, and terms under which a small crowd shows something."""

from __future__ import annotations

import pytest

from gateways import one_worker, policy
from sfumato.evaluate.attacks.terms import terms


@pytest.fixture(scope="session")
def noise():
    with one_worker() as opened:
        yield opened


@pytest.fixture
def under():
    """Formal mode at epsilon 4."""
    return terms(policy(), epsilon=4.0, delta=1e-5)
