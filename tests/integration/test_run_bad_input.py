"""Bad input at the command line: one clear line, the right exit code, no traceback, nothing published, nothing lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from sfumato.vault.keys import RootKey
from terminal import sfumato

POLICY = Path(__file__).parents[2] / "policies" / "standard.yaml"
SECRET = "the walrus keeps its secret"
GOOD = json.dumps({"conversation_id": "c1", "user_id": "u1", "text": SECRET}).encode() + b"\n"


def attempt(
    tmp_path: Path,
    *,
    source: bytes | None = None,
    stdin: bytes = b"",
    policy: Path = POLICY,
    command: str = "ingest",
    options: tuple[str, ...] = (),
):
    """Run `sfumato ingest` (it reads as `run` does and needs no model) on these bytes."""
    path: Path | str = "-"
    if source is not None:
        path = tmp_path / "input.jsonl"
        path.write_bytes(source)
    return sfumato(command, policy, path, "--data", tmp_path / "data", *options, home=tmp_path / "home", stdin=stdin)


def one_line(result) -> str:
    """The last line of standard error; fails on a traceback, on user text, or on anything printed as a result."""
    errors = result.stderr.decode()
    assert "Traceback" not in errors
    assert SECRET not in errors
    assert result.stdout == b""
    return errors.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (b"\x7fELF\x02\x01\x00\x00" * 64, "binary"),
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (b"\xe9\xe8 latin-1 \xff\n" * 3, "not_utf8"),
        (b'{"user_id": "u1"\n', "not_json"),
        (b'{"conversation_id": "c1", "text": "no user here"}\n', "no_user"),
        (b"[1, 2, 3]\n", "not_object"),
        (gzip.compress(GOOD * 2000)[:-40], "breaks off after line"),
    ],
    ids=["empty", "blank", "binary", "utf-16", "latin-1", "broken json", "no user", "a list", "cut gzip"],
)
def test_an_input_that_can_not_be_read_gets_one_line_and_exit_1(tmp_path: Path, content: bytes, says: str) -> None:
    result = attempt(tmp_path, source=content)
    assert result.returncode == 1
    assert says in one_line(result)


def test_a_50_mb_line_is_passed_over_and_the_rest_goes_on(tmp_path: Path) -> None:
    long = b'{"user_id": "u2", "text": "' + b"x" * 50_000_000 + b'"}\n'
    result = attempt(tmp_path, source=GOOD + long + GOOD.replace(b"c1", b"c2"), options=("--json",))
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert (report["accepted"], report["rejections"], report["first_lines"]) == (2, {"too_long": 1}, {"too_long": [2]})


def test_bad_lines_are_counted_and_named_and_strict_stops_at_the_first(tmp_path: Path) -> None:
    content = GOOD + b"not json\n" + GOOD.replace(b"c1", b"c2") + b'{"text": "x"}\n'
    lax = attempt(tmp_path, source=content)
    assert (lax.returncode, one_line(lax)) == (
        0,
        "4 read, 2 accepted, 2 rejected: not_json 1 (line 2), no_user 1 (line 4)",
    )
    strict = attempt(tmp_path, source=content, options=("--strict",))
    assert strict.returncode == 1
    assert "line 2: not_json" in one_line(strict)


def test_standard_input_and_gzip_are_read_like_a_file(tmp_path: Path) -> None:
    result = attempt(tmp_path, stdin=gzip.compress(GOOD))
    assert (result.returncode, one_line(result)) == (0, "1 read, 1 accepted, 0 rejected")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("epsilon: 2.0", "epsilon: 0"), "guarantee.budget.epsilon"),
        (("unit: user", "unit: user\nunit: user"), "stands twice"),
        (("thresholds:", "treshold:"), "did you mean thresholds?"),
    ],
)
def test_a_bad_policy_is_refused_with_its_place_and_exit_2(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.read_text().replace(*change))
    result = attempt(tmp_path, source=GOOD, policy=bad)
    assert result.returncode == 2
    line = one_line(result)
    assert says in line
    assert f"{bad}:" in line
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_can_not_be_written_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    result = attempt(tmp_path, source=GOOD)
    assert result.returncode == 1
    assert "a file lies where a directory belongs" in one_line(result)


def test_a_missing_input_a_missing_policy_and_a_wrong_epoch_get_one_line_each(tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    missing = sfumato("ingest", POLICY, tmp_path / "none.jsonl", *data, home=tmp_path)
    assert (missing.returncode, "none.jsonl" in one_line(missing)) == (1, True)
    policy = sfumato("ingest", tmp_path / "none.yaml", "-", *data, home=tmp_path)
    assert (policy.returncode, "none.yaml" in one_line(policy)) == (2, True)
    epoch = sfumato("ingest", POLICY, "-", *data, "--epoch", "last month", home=tmp_path)
    assert (epoch.returncode, "write it like" in one_line(epoch)) == (1, True)


def test_a_root_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "root.key"
    RootKey.create(key)
    key.chmod(0o644)
    result = attempt(tmp_path, source=GOOD, options=("--key-file", str(key)))
    assert result.returncode == 1
    assert "root.key" in one_line(result)


def test_a_release_of_nothing_says_what_to_do_first(tmp_path: Path) -> None:
    result = sfumato("release", POLICY, "--data", tmp_path / "data", home=tmp_path)
    assert result.returncode == 1
    assert "sfumato ingest" in one_line(result)


def test_unknown_words_are_usage_errors(tmp_path: Path) -> None:
    assert sfumato("publish", home=tmp_path).returncode == 2
    assert sfumato("run", "--nonsense", home=tmp_path).returncode == 2


def test_a_budget_too_small_to_measure_anything_is_a_policy_error_before_anything_is_charged(tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    small.write_text(POLICY.read_text().replace("epsilon: 2.0", "epsilon: 0.0001"))
    result = attempt(tmp_path, source=GOOD, policy=small)
    assert result.returncode == 2
    assert "too small" in one_line(result)


def test_a_discard_without_a_receipt_is_not_confirmed(tmp_path: Path) -> None:
    key = tmp_path / "root.key"
    RootKey.create(key)
    result = sfumato("discard", "verify", "--data", tmp_path / "data", "--key-file", key, "--json", home=tmp_path)
    assert result.returncode == 1
    assert json.loads(result.stdout)["good"] is False
