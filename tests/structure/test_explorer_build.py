"""What is served is what the source builds, byte for byte; its types are those of the server's own OpenAPI document."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE, BUILT = ROOT / "explorer", ROOT / "src" / "sfumato" / "serve" / "explorer"
PARTS = ["app.js", "index.html", "style.css"]
MOST_GZIPPED = 90_000
TOOLS = SOURCE / "node_modules" / ".bin"
built = pytest.mark.skipif(
    shutil.which("node") is None or not (TOOLS / "vite").exists(),
    reason="no node here, or `npm ci` was not run in explorer/: the committed build is not rebuilt",
)


def run(*command: str, **options: object) -> str:
    return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True, **options).stdout


def test_the_committed_openapi_document_is_the_servers_own() -> None:
    said = run(sys.executable, "openapi.py")
    assert json.loads(said) == json.loads((SOURCE / "openapi.json").read_text()), "run `make explorer`"


def test_the_build_is_small_and_whole() -> None:
    assert sorted(path.name for path in BUILT.iterdir()) == PARTS
    assert sum(len(gzip.compress((BUILT / name).read_bytes())) for name in PARTS) <= MOST_GZIPPED


def test_versions_are_pinned_and_no_registry_is_named() -> None:
    package = json.loads((SOURCE / "package.json").read_text())
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(version[0].isdigit() for version in versions)
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    assert all("resolved" not in one for one in lock["packages"].values())


@built
def test_the_types_follow_from_the_openapi_document(tmp_path: Path) -> None:
    run(str(TOOLS / "openapi-typescript"), "openapi.json", "--output", str(tmp_path / "schema.d.ts"), "--alphabetize")
    assert (tmp_path / "schema.d.ts").read_text() == (SOURCE / "src" / "api" / "schema.d.ts").read_text()


@built
def test_the_source_is_well_typed_and_builds_what_is_committed(tmp_path: Path) -> None:
    run(str(TOOLS / "tsc"), "--noEmit")
    run(str(TOOLS / "vite"), "build", "--outDir", str(tmp_path / "built"))
    for name in PARTS:
        assert (tmp_path / "built" / name).read_bytes() == (BUILT / name).read_bytes(), f"{name}: run `make explorer`"
