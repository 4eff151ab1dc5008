"""Real conversations through the command, a stand-in as every model, formally and as Clio did it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateways import MODELS, for_a_small_log, stats
from sfumato.standin.server import running
from terminal import sfumato

if TYPE_CHECKING:
    from collections.abc import Callable


def with_models(folder: Path) -> Path:
    """The built-in `standard` for a small log, a model in every role."""
    path = folder / "standard_models.yaml"
    path.write_text(for_a_small_log("standard", ("name: standard", "name: asking")) + MODELS)
    return path


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "records", "most"), [("formal", 600, 60), ("guarded", 400, 150)])
def test_real_conversations_become_a_release_by_one_call_each(
    tmp_path: Path, irc: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, mode: str, records: int, most: int
) -> None:
    corpus = irc(records)
    records = len(corpus.read_text().splitlines())
    name = with_models(tmp_path) if mode == "formal" else "clio"
    with running() as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        made = sfumato("run", name, corpus, "--data", tmp_path / "data", "--json", home=tmp_path / "home")
        asked = stats(url)
    assert made.returncode == 0, made.stderr.decode()
    release = json.loads(made.stdout)
    assert release["guarantee"]["mode"] == mode
    assert [one["role"] for one in release["models"]] == ["extraction", "naming", "auditor"]
    assert release["topics"]
    assert records * 0.95 < asked["answered"] < records + most
    assert asked["failures"] == {}
    assert len(made.stderr.decode().splitlines()) <= 4
    shown = sfumato("show", release["id"], "--data", tmp_path / "data", home=tmp_path / "home")
    assert (b"guarded mode" in shown.stdout) is (mode == "guarded")
