"""A server that is told to sweep does, in a process of its own, though it holds no key itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from gateways import POLICY, write_corpus
from terminal import sfumato

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 90


def test_raw_text_past_its_limit_is_gone_while_the_server_runs(tmp_path: Path) -> None:
    data, key, policy = tmp_path / "data", tmp_path / "root.key", tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    corpus = write_corpus(tmp_path / "chats.jsonl", users=20)
    assert sfumato("keys", "init", "--key-file", key, home=tmp_path).returncode == 0
    sealed = sfumato("ingest", policy, corpus, "--data", data, "--key-file", key, home=tmp_path)
    assert sealed.returncode == 0
    assert sfumato("keys", "issue", "--data", data, "--role", "analyst", home=tmp_path).returncode == 0
    long_ago = time.time() - 25 * 3600
    waiting = list(data.rglob("*.seg"))
    assert waiting
    for path in waiting:
        os.utime(path, (long_ago, long_ago))
    command = [sys.executable, "-m", "sfumato", "serve", str(policy), "--data", str(data), "--port", "0"]
    server = subprocess.Popen([*command, "--sweep-every", "1", "--key-file", str(key)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE_S
        while list(data.rglob("*.seg")) and time.monotonic() < end:
            time.sleep(0.2)
        assert not list(data.rglob("*.seg"))
        assert server.poll() is None
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
