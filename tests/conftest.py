"""Shared by all tests: where the real corpora lie, if they do, and a keyring of throw-away keys."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPORA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def corpora() -> Path:
    """The folder of real corpora; without it the test is skipped."""
    if not CORPORA.is_dir():
        pytest.skip("no real corpora beside this checkout")
    return CORPORA
