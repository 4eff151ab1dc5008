"""Runs the `sfumato` command as a person would: a process of its own, its output and exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("sfumato")


def sfumato(*words: str | Path, home: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run `sfumato WORDS` with `home` as the user's configuration folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SFUMATO_")}
    return subprocess.run(
        [COMMAND, *map(str, words)],
        input=stdin or b"",
        capture_output=True,
        env=environment | {"XDG_CONFIG_HOME": str(home)},
        check=False,
        timeout=900,
    )
