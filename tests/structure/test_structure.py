"""The shape of the code: files say why they exist, the threat model names tests that exist, public names are pinned."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sfumato

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "sfumato").rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_begins_with_the_one_reason_it_exists_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    first = docstring.partition("\n\n")[0]
    assert first.endswith((".", ":"))
    assert text.count("\n") <= 400


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_file_is_a_drawer_for_odds_and_ends(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "common", "misc", "base", "manager"}


def ids_of(path: Path) -> set[str]:
    """Ids of the tests of a file, as `tests/part/test_file.py::test_name`."""
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    return {f"{name(path)}::{one.name}" for one in functions if one.name.startswith("test_")}


def test_every_test_that_the_threat_model_names_exists() -> None:
    text = (ROOT / "threat_model.md").read_text()
    named = set(re.findall(r"`(tests/[\w/.]+)`", text))
    assert len(named) > 8
    assert not {path for path in named if not (ROOT / path).exists()}
    ids = set(re.findall(r"`(tests/[\w/.]+::\w+)`", text))
    assert len(ids) > 40
    assert not ids - set().union(*(ids_of(ROOT / path) for path in {one.partition("::")[0] for one in ids}))


def test_every_attack_is_named_in_the_threat_model() -> None:
    """The list of attacks in the document and the tests are the same."""
    ids = set(re.findall(r"`(tests/attacks/[\w/.]+::\w+)`", (ROOT / "threat_model.md").read_text()))
    assert ids == set().union(*(ids_of(path) for path in (ROOT / "tests" / "attacks").glob("test_*.py")))


def test_threats_are_numbered_and_each_has_a_module_and_a_test() -> None:
    text = (ROOT / "threat_model.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| T[0-9]+ \|", line)]
    numbers = [int(row[0].strip("| T")) for row in rows]
    assert numbers == list(range(1, len(rows) + 1))
    assert all(len(row) == 5 and row[2] and "::" in row[4] for row in rows)
    modules = {path for row in rows for path in re.findall(r"`([\w/]+\.py)`", row[3])}
    assert not {path for path in modules if not (ROOT / "src" / "sfumato" / path).exists()}
    referred = {int(number) for number in re.findall(r"\bT([0-9]+)\b", text)}
    assert referred == set(numbers)


def test_the_public_names_are_these() -> None:
    names = "AsyncClient Client Deployment Gateway Policy __version__ open_gateway rows"
    assert sorted(sfumato.__all__) == names.split()
    assert sfumato.Gateway.__module__ == "sfumato.gateway"
    assert sfumato.Policy.__module__ == "sfumato.policy.schema"
    with pytest.raises(AttributeError):
        sfumato.Nothing  # noqa: B018


def test_type_checkers_of_those_who_import_us_are_told_that_we_have_types() -> None:
    assert (ROOT / "src" / "sfumato" / "py.typed").exists()


def test_importing_the_package_and_the_command_line_loads_nothing_heavy() -> None:
    code = "import sfumato, sfumato.cli.app, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "opendp", "sklearn", "fastapi", "pyarrow", "transformers"} & set(loaded)


def test_only_opendp_draws_what_is_published() -> None:
    """No module that touches private statistics can reach a generator of its own."""
    forbidden = re.compile(r"np\.random|numpy\.random|\brandom\.(random|gauss|normal|Random)|default_rng")
    for package in ("privacy", "gate", "ingest", "vault", "extract", "embed", "live"):
        for path in (ROOT / "src" / "sfumato" / package).rglob("*.py"):
            assert not forbidden.search(path.read_text()), name(path)


def test_the_repository_speaks_of_itself_alone() -> None:
    """No absolute path of a developer's machine stands in a tracked file."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    home = re.compile(r"(?<![\w.])/(?:home|Users|root)/\w")
    for file in tracked:
        path = ROOT / file
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".sh"} and path != Path(__file__):
            assert not home.search(path.read_text()), file
