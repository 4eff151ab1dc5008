"""What a policy decides, explains and finds odd about models: who reads, names and judges, where, at what cost."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from sfumato import planning
from sfumato.cli.app import app
from sfumato.errors import InputError
from sfumato.forecast import forecast
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.report import IngestReport
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.policy import decide
from sfumato.policy.explain import explain
from sfumato.policy.finding import Circumstances
from sfumato.policy.lint import lint
from sfumato.policy.load import builtin_path, load, parse

TEXT = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: sample}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 2.0, delta: 1.0e-7}
  yearly: {epsilon: 8.0, delta: 1.2e-6}
thresholds: {min_users: 200, min_conversations: 200}
extraction: {provider: anthropic, model: reader}
naming: {provider: anthropic, model: writer}
auditor: {provider: anthropic, model: judge}
spend: {usd_per_epoch: 0.1}
facets: [{name: mood, kind: yes_no, ask: Was it cheerful?}]
retention: {derived_ttl: 45d}
access: {analyst: [releases]}
"""
AWAY = "https://models.example.org"
HERE = "http://127.0.0.1:8000"
NAMES = Pseudonyms(bytes(32), dataset="test")


def changed(*pairs: tuple[str, str]):
    text = TEXT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


def page(policy) -> dict[str, str]:
    sections = explain(policy, forecast(policy))
    assert all(line.endswith(".") for section in sections for line in section.lines)
    return {section.title: " ".join(section.lines) for section in sections}


def rules(policy, **told) -> dict[str, str]:
    found = lint(policy, forecast(policy), Circumstances(today=date(2026, 11, 21), **told))
    return {finding.rule: finding.severity for finding in found}


@pytest.mark.parametrize(
    ("provider", "model", "endpoint", "rule"),
    [
        ("anthropic", "reader", None, None),
        ("anthropic", "reader", HERE, None),
        ("extractive", None, None, "provider"),
        ("anthropic", "writer", None, "model"),
        ("anthropic", None, None, "model"),
        ("anthropic", "reader", AWAY, "base_url"),
        ("anthropic", "reader", "http://127.0.0.1@example.org", "base_url"),
        ("anthropic", "reader", "http://[", "base_url"),
    ],
)
def test_only_the_model_and_the_endpoint_that_the_policy_names_may_read_name_and_judge(provider, model, endpoint, rule):
    policy = parse(TEXT.replace("writer", "reader").replace("judge", "reader"))
    found = {
        "extraction": decide.extraction(policy.extraction, provider=provider, model=model, endpoint=endpoint),
        "naming": decide.naming(
            policy.naming, provider=provider, model=model, endpoint=endpoint, evidence="released_phrases"
        ),
        "auditor": decide.auditing(policy.auditor, provider=provider, model=model, endpoint=endpoint),
    }
    if rule == "model" and model == "writer":
        assert not any(one.allowed for one in found.values())
    assert {name: one.allowed for name, one in found.items()} == dict.fromkeys(found, rule is None)
    assert all(one.rule == f"{name}.{rule or 'provider'}" for name, one in found.items())


def test_where_the_policy_names_an_endpoint_no_other_passes_not_even_one_on_this_machine():
    section = changed(("model: reader", f"model: reader, base_url: '{AWAY}'")).extraction
    told = {"provider": "anthropic", "model": "reader"}
    assert decide.extraction(section, endpoint=AWAY, **told).allowed
    assert not decide.extraction(section, endpoint=None, **told).allowed
    assert not decide.extraction(section, endpoint=HERE, **told).allowed


def test_where_no_model_is_asked_no_model_passes():
    section = changed(("{provider: anthropic, model: writer}", "{}")).naming
    told = {"provider": "phrases", "evidence": "released_phrases"}
    assert decide.naming(section, model=None, endpoint=None, **told).allowed
    assert not decide.naming(section, model="writer", endpoint=None, **told).allowed
    assert not decide.naming(section, model=None, endpoint=HERE, **told).allowed


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (None, None),
        ("", None),
        ("https://api.anthropic.com/", None),
        (HERE, HERE),
        ("http://localhost:1", "http://localhost:1"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_the_environment_may_point_to_this_machine(environment, url):
    found = decide.endpoint(parse(TEXT).extraction, environment)
    assert (found.allowed, found.url) == (True, url)


@pytest.mark.parametrize(
    "environment",
    [
        AWAY,
        "http://127.0.0.1.example.org",
        "http://127.0.0.1@example.org",
        "http://localhost:pass@example.org/",
        "http://example.org#@localhost",
        "http://localhost\\@example.org",
        "http://localhost\n.example.org",
        "http://[::1",
        "ftp://localhost",
        "localhost:8000",
        "nonsense",
    ],
)
def test_the_environment_may_point_nowhere_else(environment):
    found = decide.endpoint(parse(TEXT).extraction, environment)
    assert (found.allowed, found.url) == (False, None)
    assert "write base_url into the policy" in found.reason
    assert environment not in found.reason


def test_what_the_policy_names_stands_against_any_environment():
    section = changed(("model: reader", f"model: reader, base_url: '{AWAY}'")).extraction
    assert decide.endpoint(section, HERE).url == AWAY
    assert decide.endpoint(section, "nonsense").url == AWAY


def test_money_is_compared_as_it_is_written():
    section = parse(TEXT).spend
    assert decide.spend(section, usd=Decimal("0.1")).allowed
    assert not decide.spend(section, usd=Decimal("0.10000000000000001")).allowed
    for odd in ("NaN", "Infinity", "-1"):
        assert not decide.spend(section, usd=Decimal(odd)).allowed
        assert not decide.spend(changed(("{usd_per_epoch: 0.1}", "{}")).spend, usd=Decimal(odd)).allowed
    assert decide.spend(changed(("{usd_per_epoch: 0.1}", "{}")).spend, usd=Decimal(10**9)).allowed


def taken(tmp_path, policy):
    lines = [{"text": "hello"}, {"user_id": "ada", "text": "hello", "attributes": {"tier": "a", "mood": "cross"}}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = IngestReport()
    found = read(
        tmp_path / "log.jsonl",
        mapping=planning.field_mapping(policy),
        unit=policy.unit,
        limits=Limits(),
        pseudonyms=NAMES,
        report=report,
    )
    return list(found), report


PLAN = ("facets: [", "facets: [{name: plan, kind: category, domain: [a], attribute: tier}, ")


def test_ingest_reads_what_a_facet_declares_and_nothing_that_a_model_is_asked(tmp_path):
    found, report = taken(tmp_path, changed(PLAN))
    assert [one.attributes for one in found] == [{"tier": "a"}]
    assert report.rejections == {"no_user": 1}


def test_ingest_obeys_the_decision_on_an_attribute(tmp_path, monkeypatch):
    denied = decide.Decision(allowed=False, rule="facets", reason="a test")
    monkeypatch.setattr(decide, "ingest_attribute", lambda _policy, *, attribute: denied)
    assert [one.attributes for one in taken(tmp_path, changed(PLAN))[0]] == [{}]


def test_ingest_obeys_the_decision_on_a_record_and_asks_for_it_once_for_each_kind(tmp_path, monkeypatch):
    asked = []

    def refuse(unit, *, has_user):
        asked.append((unit, has_user))
        return decide.Decision(allowed=False, rule="unit", reason="a test")

    monkeypatch.setattr(decide, "ingest_record", refuse)
    with pytest.raises(InputError, match="no_user 2"):
        taken(tmp_path, parse(TEXT))
    assert asked == [("user", False), ("user", True)]


def test_explain_says_who_reads_where_and_what_stays_there():
    told = page(changed(("model: reader", "model: reader, region: eu, batch: true, window: 9000")))
    reads = told["Who reads conversations"]
    for part in (
        "reader at Anthropic's own endpoint",
        "9,000 characters",
        "region eu",
        "29 days",
        "ANTHROPIC_BASE_URL",
    ):
        assert part in reads
    at_home = page(changed(("model: reader", f"model: reader, base_url: '{HERE}'")))["Who reads conversations"]
    assert "No conversation leaves this machine." in at_home
    assert "vendor" not in at_home
    assert "No model" in page(load(builtin_path("standard")))["Who reads conversations"]


def test_explain_lists_every_question_that_is_asked():
    policy = parse(
        TEXT.replace(
            "facets: [",
            'screen: {ask: "Is it about school?"}\nfacets: ['
            '{name: tags, kind: multi_label, domain: [x, y], at_most: 2, ask: "Which tags?"},'
            '{name: age, kind: number, bins: [0, 18], ask: "How old?"},'
            '{name: job, kind: path, taxonomy: {file: jobs.jsonl}, ask: "Which job?"},',
        )
    )
    asked = page(policy)["What is asked of each conversation"]
    for part in (
        '"Is it about school?"',
        'tags: "Which tags?" (up to 2 of x, y, or unknown).',
        'age: "How old?" (a number, of which only the bin is kept; edges 0, 18).',
        'job: "Which job?" (one of the nodes of jobs.jsonl (NOT pinned by a hash), or unknown).',
        'mood: "Was it cheerful?" (yes, no, or unknown).',
    ):
        assert part in asked


def test_explain_says_who_names_judges_and_pays():
    told = page(parse(TEXT))
    assert "writer at Anthropic's own endpoint, from released phrases" in told["Who writes names"]
    assert "judge at Anthropic's own endpoint rates it by the rubric" in told["Who judges what is published"]
    assert "0.1 US dollars a month" in told["What the models may cost"]
    assert "NO limit" in page(changed(("{usd_per_epoch: 0.1}", "{}")))["What the models may cost"]
    assert "What is NOT guaranteed here" not in told
    declared = page(changed(("spend:", "topics: {taxonomy: {file: tree.jsonl}}\nspend:")))
    assert "declared taxonomy tree.jsonl (NOT pinned by a hash)" in declared["Who writes names"]
    assert "Which phrases can appear" not in declared


def test_explain_of_a_guarded_policy_begins_with_what_is_not_guaranteed():
    policy = load(builtin_path("clio"))
    sections = explain(policy, forecast(policy))
    assert sections[0].title == "What is NOT guaranteed here"
    assert "names and their descriptions carry NO formal guarantee" in " ".join(sections[0].lines)
    told = page(policy)
    assert "the counts look nearly the same" in told["Whose presence is hidden"]
    assert "what the counts of a release tell changes them by a factor" in told["At what cost"]


@pytest.mark.parametrize(
    ("pairs", "rule", "severity"),
    [
        ([("{usd_per_epoch: 0.1}", "{}")], "no-spend-cap", "warning"),
        ([("model: writer", f"model: writer, base_url: '{HERE}'")], "endpoint-in-clear", "warning"),
        ([("model: judge", "model: writer")], "auditor-is-namer", "warning"),
        ([("spend:", "topics: {taxonomy: {file: tree.jsonl}}\nspend:")], "taxonomy-not-pinned", "warning"),
        ([("kind: yes_no", "kind: path, taxonomy: {file: t}")], "taxonomy-not-pinned", "warning"),
        ([("kind: yes_no", "kind: number, bins: [1, 2, 3, 4, 5, 6, 7, 8]"), ("users: 200", "users: 2000")],
         "facet-too-fine", "warning"),
        ([("model: reader", "model: reader, batch: true, region: eu")], "batch-outside-region", "warning"),
        ([("model: reader", "model: reader, window: 1000")], "window-small", "warning"),
        ([("{derived_ttl", "{raw_key: memory, derived_ttl"), ("model: reader", "model: reader, batch: true")],
         "memory-key-and-batches", "warning"),
        ([("{derived_ttl", "{raw_ttl: 23h, derived_ttl")], "raw-shorter-than-batch", "warning"),
        ([("{derived_ttl", "{raw_ttl: 23h, derived_ttl"), ("model: reader", "model: reader, batch: true")],
         "raw-shorter-than-batch", "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_rule_about_models_finds_what_it_is_for(pairs, rule, severity):
    assert rule not in rules(parse(TEXT))
    assert rules(changed(*pairs))[rule] == severity


def test_models_on_this_machine_need_no_cap():
    home = [(f"model: {name}", f"model: {name}, base_url: '{HERE}'") for name in ("reader", "writer", "judge")]
    assert "no-spend-cap" not in rules(changed(("{usd_per_epoch: 0.1}", "{}"), *home))


def test_a_taxonomy_with_more_nodes_than_users_can_fill_is_found_by_its_file(tmp_path):
    text = TEXT.replace("kind: yes_no", "kind: path, taxonomy: {file: tree.jsonl}")
    (tmp_path / "p.yaml").write_text(text)
    for nodes, found in ((10, False), (100, True)):
        lines = [json.dumps({"id": str(node), "name": f"work of kind {node}"}) for node in range(nodes)]
        (tmp_path / "tree.jsonl").write_text("\n".join(lines))
        told = CliRunner().invoke(app, ["policy", "lint", str(tmp_path / "p.yaml"), "--json"])
        assert ("facet-too-fine" in told.stdout) == found


def test_the_forecast_knows_that_several_values_cost_more_noise():
    policy = changed(
        ("kind: yes_no,", "kind: multi_label, domain: [x, y, z], at_most: 3,"),
        ("facets: [", "facets: [{name: turns}, "),
    )
    one, several = forecast(policy).facets
    assert (one.values, several.values) == (6, 4)
    assert one.overall.low < several.overall.low == several.overall.high == one.overall.high
    assert one.leaf.low < several.leaf.low < several.leaf.high == one.leaf.high


def test_a_diff_of_sections_that_may_be_left_out_is_readable(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(TEXT.replace("facets: [", "screen: {ask: Is it?}\nfacets: [{name: turns}, "))
    told = CliRunner().invoke(app, ["policy", "diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--json"])
    assert told.exit_code == 11
    fields = {entry["field"]: entry for entry in json.loads(told.stdout)["fields"]}
    assert (fields["screen"]["before"], fields["screen"]["after"]) == (None, "ask Is it?")
    assert fields["facets.mood"]["after"] == "yes_no; ask Was it cheerful?"
    plain = CliRunner().invoke(app, ["policy", "diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert "screen: none -> ask Is it?" in re.sub(r"\s+", " ", plain.stdout)


def test_the_forecast_of_a_declared_taxonomy_and_of_guarded_mode_spends_all_on_counting():
    """No phrase is selected, so no delta goes to selection and each count has less noise."""
    found = forecast(parse(TEXT))
    declared = changed(("spend:", "topics: {taxonomy: {file: tree.jsonl}}\nspend:"))
    nodes = (Node(id="a", parent=None, name="work"), Node(id="b", parent="a", name="writing"))
    tree = Taxonomy(nodes=nodes, digest="0" * 64)
    counted = forecast(declared, {declared.topics.taxonomy: tree})
    assert [level.name for level in counted.levels] == ["depth 2 users", "depth 1 users"]
    evidence = "model: writer, evidence: private_summaries"
    guarded = forecast(changed(("guarantee:", "guarantee:\n  mode: guarded"), ("model: writer", evidence)))
    assert found.selection is not None
    for other in (counted, guarded):
        assert other.selection is None
        assert other.delta < found.delta
        assert other.levels[0].low < found.levels[0].low
        assert other.facets[0].leaf.low < found.facets[0].leaf.low
