"""Shared by all tests: where the real corpora lie, if they do, and how much of them is read."""

from __future__ import annotations

import gc
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import processes

if TYPE_CHECKING:
    from collections.abc import Callable

CORPORA = Path(__file__).parents[2] / "shared" / "data"

settings.register_profile("untimed", deadline=None)  # how long an example takes says more of the machine than of us
settings.load_profile("untimed")


@pytest.fixture
def corpora() -> Path:
    """The folder of real corpora; without it the test is skipped."""
    if not CORPORA.is_dir():
        pytest.skip("no real corpora beside this checkout")
    return CORPORA


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="read real corpora to their end, not their first part")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow ones first: a long test that starts last keeps the other workers waiting."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected stays: the garbage collector need not walk all of it again and again."""
    if any(hasattr(item.module, "APART") for item in session.items):
        processes.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether tests read all of a corpus: `pytest --whole`."""
    return bool(request.config.getoption("--whole"))


@pytest.fixture
def irc(corpora: Path, tmp_path: Path, whole: bool) -> Callable[[int], Path]:
    """The real support conversations as a file, the first so many unless the whole is wanted."""

    def first(records: int) -> Path:
        source, cut = corpora / "irc_ubuntu_train" / "conversations.jsonl", tmp_path / "irc.jsonl"
        if whole:
            return source
        with source.open() as lines:
            cut.write_text("".join(islice(lines, records)))
        return cut

    return first
