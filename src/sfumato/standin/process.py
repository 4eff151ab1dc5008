"""A stand-in in a process of its own, so that what it costs is not counted with what is measured."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30


@contextmanager
def apart(*, latency: float) -> Iterator[str]:
    """The base URL of a stand-in on a free port of this machine, gone at the end of the block.

    Raises:
        ModelUnavailable: it did not start.
    """
    command = [sys.executable, "-m", "sfumato", "dev", "model-server", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own words
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise ModelUnavailable("the stand-in for a model did not start: try `sfumato dev model-server`")
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
