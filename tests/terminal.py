"""Runs the `sfumato` command: a process of its own (forked from one that has loaded it), its output and exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from warm import Warm

if TYPE_CHECKING:
    import subprocess

COMMAND = Path(sys.executable).with_name("sfumato")
WARM = Warm()
PATIENCE = 900.0


def sfumato(
    *words: str | Path, home: Path, stdin: bytes = b"", without: tuple[str, ...] = ("SFUMATO_",), **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `sfumato WORDS` with `home` as the user's configuration folder.

    In this process's environment, `without` the names that begin so, and with some `more`.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return WARM.run(list(map(str, words)), environment | {"XDG_CONFIG_HOME": str(home)} | more, stdin, PATIENCE)
