"""The TypeScript client in examples/ is the one that the API's own description gives, and it works where node is."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from api_clients import listening
from api_sites import RELEASE, Site, the_rest

HERE = Path(__file__).parents[2] / "examples" / "typescript"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("data"), more=lambda made: the_rest(made.data, made.access, None))


def generator():
    spec = importlib.util.spec_from_file_location("generate", HERE / "generate.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_client_is_the_one_that_the_api_describes(site):
    """Where this fails: save the server's /openapi.json and run `examples/typescript/generate.py` on it."""
    made = generator().render(site.client.get("/openapi.json").json())
    assert (HERE / "sfumato.ts").read_text() == made


def test_every_operation_has_a_method(site):
    paths = site.client.get("/openapi.json").json()["paths"]
    text = (HERE / "sfumato.ts").read_text()
    assert text.count("  async ") == sum(len(item) for item in paths.values())


def test_types_hold_and_the_tour_runs_against_a_server(site, tmp_path):
    compiler, node = shutil.which("tsc"), shutil.which("node")
    if compiler is None or node is None:
        pytest.skip("no node and tsc here")
    done = subprocess.run(
        [compiler, "-p", str(HERE), "--outDir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    shutil.copy(HERE / "package.json", tmp_path)
    with listening(site.app) as url:
        env = {"PATH": os.environ["PATH"], "SFUMATO_API_KEY": site.tokens["analyst"]}
        told = subprocess.run(
            [node, str(tmp_path / "tour.js"), url], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    assert told.returncode == 0, told.stderr
    assert f"{RELEASE.id}: Software development" in told.stdout
    assert "no live queries here" in told.stdout
