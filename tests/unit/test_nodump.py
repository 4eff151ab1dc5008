"""A process that opens text keeps its memory to itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKS = """
import resource, sys
from sfumato.model import nodump
before = nodump.is_sealed()
done = nodump.seal_memory()
print(before, done, nodump.is_sealed(), resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asked of the kernel as on Linux")
def test_a_process_seals_its_memory_for_good():
    done = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=True)
    assert done.stdout.split(" ", 3) == ["False", "True", "True", "(0, 0)\n"]


def test_every_command_and_process_that_holds_text_or_keys_does_so():
    """Where each begins; that it works for one that holds text is shown by tests/integration/test_canaries.py."""
    from inspect import getsource

    from sfumato.cli import forget, pipeline
    from sfumato.embed import workers
    from sfumato.live import worker

    for begins in (pipeline._opened, forget.forget, workers._serve, worker.until_told):
        assert "seal_memory()" in getsource(begins)
