"""sfumato inside another program: examples/embed.py as its engineers would run it, and what a host may get wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from gateways import write_corpus
from sfumato import Deployment, open_gateway
from sfumato.cli import options
from sfumato.custody import create_root_key
from sfumato.embed import workers
from sfumato.embed.sentences import SentenceEmbedder
from sfumato.embed.weights import find
from sfumato.errors import KeyMissing, ModelUnavailable, NoiseFailure
from sfumato.model import signature
from sfumato.privacy import noise

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.py"
VARIABLES = {
    "SFUMATO_KEY_FILE": "key_file",
    "SFUMATO_KEY": "key",
    "SFUMATO_POLICY_KEYS": "trusted_keys",
    "SFUMATO_DATABASE": "database",
    "SFUMATO_RAW_STORE": "raw_store",
}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A database whose table holds the turns of 300 conversations, one without a word in it."""
    path = tmp_path / "logs.db"
    turns = []
    for line in write_corpus(tmp_path / "chats.jsonl", users=300, each=1).read_text().splitlines():
        record = json.loads(line)
        for at, turn in enumerate(record["messages"]):
            turns.append((record["conversation_id"], record["user_id"], turn["role"], turn["content"], at))
    turns.append(("z-empty", "person-00001", "user", " ", 0))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE messages (conversation, author, role, content, at)")
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", turns)
    return path


@pytest.mark.model
@pytest.mark.slow
def test_rows_of_a_database_become_a_release_and_asked_again_the_same_bytes(logs: Path, tmp_path: Path) -> None:
    create_root_key(tmp_path / "root.key")

    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, EXAMPLE, logs, tmp_path / "data", "2026-03"],
            env=os.environ | {"SFUMATO_KEY_FILE": str(tmp_path / "root.key")},
            capture_output=True,
            check=False,
            timeout=300,
        )

    made, again = run(), run()
    assert made.returncode == 0, made.stderr
    assert made.stderr == b"301 read, 300 accepted, 1 rejected: no_text 1 (line 301)\n"
    found = json.loads(made.stdout)
    signature.verify(found, None)
    assert (found["epoch"], found["dataset"]) == ("2026-03", "conversations")
    assert found["topics"]
    assert (again.returncode, again.stdout, again.stderr) == (0, made.stdout, b"")


def test_a_host_without_a_root_key_is_told_so_and_none_is_made_behind_its_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(KeyMissing, match="sfumato keys init"):
        open_gateway(Deployment(data=tmp_path / "data"), policy="standard")
    assert not (tmp_path / "config").exists()
    told: list[str] = []
    open_gateway(Deployment(data=tmp_path / "data"), policy="standard", note=told.append)
    assert len(told) == 1
    assert str(tmp_path / "config") in told[0]


def test_a_deployment_reads_the_variables_that_the_command_line_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = (options.KeyFile, options.Key, options.TrustedKeys, options.Database, options.RawStore)
    assert {one.__metadata__[0].envvar for one in declared} == set(VARIABLES)
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    assert Deployment.from_environment(tmp_path) == Deployment(data=tmp_path)
    for name, field in VARIABLES.items():
        monkeypatch.setenv(name, f"said by {name}")
        assert str(getattr(Deployment.from_environment(tmp_path), field)) == f"said by {name}"


def test_noise_that_can_not_start_says_what_a_host_forgot_and_that_nothing_was_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noise, "_end_with_parent", partial(os._exit, 1))
    with pytest.raises(NoiseFailure, match=r"nothing was charged: .*__main__"), noise.OpenDPNoise(workers=1):
        pass


@pytest.mark.model
def test_a_vector_worker_that_can_not_start_says_what_a_host_forgot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_serve", slice)  # takes three arguments, returns, and so ends before it was ready
    with (
        SentenceEmbedder(find(None), workers=1) as embedder,
        pytest.raises(ModelUnavailable, match=r"could not start: .*__main__"),
    ):
        embedder.embed(["seven bridges"])
    assert embedder._pool._workers == []
