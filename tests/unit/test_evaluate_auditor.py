"""The auditor's benchmark: sets are seeded and two-sided, rates and intervals are right, and the bar is held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy.stats import norm
from typer.testing import CliRunner, Result

from sfumato.cli.app import app
from sfumato.errors import InputError
from sfumato.evaluate import auditor, auditor_cases, auditor_presidio
from sfumato.evaluate.auditor import Case, CaseSet
from sfumato.model.prompt import Prompt, Reply
from sfumato.policy.load import builtin_path
from sfumato.standin import server

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "data" / "presidio_synth"
BAR = 0.05


def test_the_sets_are_the_same_for_a_seed_differ_between_seeds_and_have_hundreds_on_both_sides() -> None:
    one = auditor_cases.sets(1)
    assert one == auditor_cases.sets(1)
    assert one != auditor_cases.sets(2)
    assert [found.name for found in one] == ["explicit_pii", "sensitive_group", "small_organisation", "injection"]
    for found in one:
        texts = [case.text for case in found.cases]
        assert len(set(texts)) == len(texts)
        assert min(sum(case.unsafe is half for case in found.cases) for half in (True, False)) >= 200


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_detectors_alone_miss_and_wrongly_deny_under_five_in_a_hundred_of_explicit_identifiers(seed: int) -> None:
    result = auditor.evaluate([auditor_cases.sets(seed)[0]], auditor.layers())
    found = result["sets"]["explicit_pii"]
    assert found["interval"]["fnr"][1] <= BAR
    assert found["interval"]["fpr"][1] <= BAR


def test_rates_count_what_passed_of_the_unsafe_and_what_was_denied_of_the_safe() -> None:
    cases = tuple(
        Case(text=text, unsafe=unsafe, kinds=("k",)) for text, unsafe in (("a", True), ("b", True), ("c", False))
    )
    layers = {"first": lambda texts: [True] * len(texts), "last": lambda texts: [text == "a" for text in texts]}
    result = auditor.evaluate([CaseSet(name="s", cases=cases)], layers)
    found = result["sets"]["s"]
    assert result["layers"] == ["first", "last"]
    assert (found["n_unsafe"], found["n_safe"], found["fnr"], found["fpr"]) == (2, 1, 0.5, 1.0)
    assert (found["by_layer"]["first"]["fnr"], found["by_layer"]["first"]["fpr"]) == (1.0, 0.0)
    assert found["by_kind"]["k"] == {"n_unsafe": 2, "n_safe": 1, "fnr": 0.5, "fpr": 1.0}


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (7, 400)])
def test_the_ends_of_the_interval_solve_wilsons_equation(hits: int, trials: int) -> None:
    share = hits / trials
    for end in auditor.wilson(hits, trials):
        distance = abs(share - end)
        assert distance == pytest.approx(norm.ppf(0.975) * (end * (1 - end) / trials) ** 0.5, abs=1e-6)
    assert auditor.wilson(0, 0) == (0.0, 1.0)


def test_with_a_model_its_layer_is_measured_alone_and_with_the_detectors() -> None:
    class Reader:
        def complete(self, prompts: Sequence[Prompt], *, arrived: object = None) -> Sequence[Reply]:
            return [Reply(fields={"rating": 1 if "bell" in one.text else 5, "rule": None}) for one in prompts]

    layers = auditor.layers(model=Reader())
    texts = ["the bell ringers", "ann.lee@example.org", "bread"]
    assert {name: list(layer(texts)) for name, layer in layers.items()} == {
        "detectors": [True, False, True],
        "model": [False, True, True],
        "both": [False, False, True],
    }


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_sentences_are_sorted_by_their_gravest_type_and_their_safe_twins_hold_no_span(tmp_path: Path) -> None:
    text = "I am Odalys,\ncall 612345"
    spans = [{"type": "PERSON", "start": 5, "end": 11}, {"type": "PHONE_NUMBER", "start": 18, "end": 24}]
    source = written(tmp_path / "data.jsonl", {"text": text, "spans": spans, "template_id": 1, "source": "own"})
    filled = [found for found in auditor_presidio.read(tmp_path) if found.cases]
    assert auditor_presidio.read(source) == auditor_presidio.read(tmp_path)
    (only,) = filled
    assert only.name.startswith("sentences_identifiers_")
    assert [(case.text, case.unsafe, case.kinds) for case in only.cases] == [
        ("I am Odalys, call 612345", True, ("PHONE_NUMBER",)),
        ("I am someone, call a number", False, ("PHONE_NUMBER",)),
    ]


def test_all_sentences_of_one_template_are_in_one_half(tmp_path: Path) -> None:
    rows = [
        {"text": f"call {n}", "spans": [{"type": "PHONE_NUMBER", "start": 5, "end": 6}], "template_id": n % 3}
        for n in range(9)
    ]
    halves = [
        {int(case.text[5:]) % 3 for case in found.cases if case.unsafe}
        for found in auditor_presidio.read(written(tmp_path / "data.jsonl", *rows))
    ]
    assert sum(len(half) for half in halves) == 3


@pytest.mark.parametrize("content", ["not json\n", '{"text": "x"}\n', "[]\n"])
def test_a_file_of_another_format_is_refused_with_its_line_and_without_its_text(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.jsonl").write_text(content)
    with pytest.raises(InputError, match=r"^data\.jsonl:1: not a sentence"):
        auditor_presidio.read(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        auditor_presidio.read(tmp_path)


def test_detectors_hold_the_bar_on_both_halves_of_a_public_corpus() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus of sentences with spans is not here")
    result = auditor.evaluate(auditor_presidio.read(CORPUS), auditor.layers())
    for half in "AB":
        found = result["sets"][f"sentences_identifiers_{half}"]
        assert found["n_unsafe"] > 200
        assert found["fnr"] <= BAR
        assert found["fpr"] <= BAR


def told(*words: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "auditor", *words], catch_exceptions=False)


def test_the_command_prints_the_figures_of_the_library_as_json_and_each_set_in_a_table(tmp_path: Path) -> None:
    spans = [{"type": "EMAIL_ADDRESS", "start": 6, "end": 22}]
    written(tmp_path / "data.jsonl", {"text": "write ann@example.test today", "spans": spans, "template_id": 1})
    sets = auditor_cases.sets(5) + auditor_presidio.read(tmp_path)
    expected = auditor.evaluate(sets, auditor.layers())
    printed = json.loads(told("--seed", "5", "--data", str(tmp_path), "--json").stdout)
    assert printed == json.loads(json.dumps(expected))
    table = told("--seed", "5", "--data", str(tmp_path)).stdout
    assert all(found.name in table for found in sets)


def test_the_command_takes_another_rubric(tmp_path: Path) -> None:
    text = builtin_path("audit/no_individuals").read_text().replace("detectors: all", "detectors: [email]")
    (tmp_path / "r.yaml").write_text(text)
    printed = json.loads(told("--rubric", str(tmp_path / "r.yaml"), "--json").stdout)
    kinds = printed["sets"]["explicit_pii"]["by_kind"]
    assert (kinds["email"]["fnr"], kinds["phone"]["fnr"]) == (0.0, 1.0)


def test_a_policys_model_is_measured_apart_and_together_with_the_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    with server.running() as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
        done = CliRunner().invoke(app, ["evaluate", "auditor", "--policy", "election", "--each", "8", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["layers"] == ["detectors", "model", "both"]
    for found in result["sets"].values():
        layers = found["by_layer"]
        assert set(layers) == {"detectors", "model", "both"}
        assert layers["both"]["fnr"] <= min(layers["detectors"]["fnr"], layers["model"]["fnr"])
        assert found["fnr"] == layers["both"]["fnr"]


def test_a_policy_without_a_model_for_its_auditor_is_told_apart() -> None:
    done = CliRunner().invoke(app, ["evaluate", "auditor", "--policy", "standard"])
    assert isinstance(done.exception, InputError)
    assert "names no model" in str(done.exception)
