"""The README's tour: every shell block runs, in order, on a fresh folder, with a fifth of its conversations."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
WHOLE, PART = "--conversations 3000 --users 2000 --topics 8", "--conversations 600 --users 500 --topics 3"


def tour() -> list[str]:
    """The blocks marked `sh`."""
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.model
@pytest.mark.slow
def test_every_block_of_the_tour_runs_and_another_policy_finds_its_epoch_spent(tmp_path: Path) -> None:
    blocks = tour()
    assert len(blocks) >= 7
    script = "set -euo pipefail\n" + "\n".join(blocks)
    assert WHOLE in script
    script = script.replace(WHOLE, PART)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "release.json").read_text())["topics"]
    assert (tmp_path / "export" / "topics.parquet").exists()
    assert '"nmi":' in done.stdout
    again = subprocess.run(
        ["sfumato", "run", "strict", "chats.jsonl", "--data", "data", "--epoch", "2026-03", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "SFUMATO_KEY_FILE": str(tmp_path / "root.key")},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (again.returncode, again.stdout) == (4, b"")
    assert b"the budget for release is spent" in again.stderr
