"""The policy tools: decisions and their cases, lint, explain, diff and the schema for editors."""

from __future__ import annotations

import json
import math
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import PolicyError
from sfumato.forecast import forecast
from sfumato.planning import release_plan
from sfumato.policy import cases, decide
from sfumato.policy.deployed import DEPLOYED, at_least
from sfumato.policy.directions import DIRECTIONS
from sfumato.policy.explain import expected, explain
from sfumato.policy.figures import Z95, interval, published, reaches
from sfumato.policy.finding import Circumstances
from sfumato.policy.json_schema import json_schema
from sfumato.policy.lint import lint
from sfumato.policy.load import builtin_names, builtin_path, load, parse
from sfumato.serve.api_keys import ROLES, ApiKeys
from sfumato.topics.counting import LEVEL_REACH

POLICIES = Path(__file__).parents[2] / "policies"
TODAY = date(2026, 11, 21)
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
retention: {derived_ttl: 45d}
access: {analyst: [releases], admin: [policy]}
"""


def changed(*pairs: tuple[str, str]):
    text = TEXT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


def findings(policy, **told: object) -> dict[str, str]:
    found = lint(policy, forecast(policy), Circumstances(today=TODAY, **told))
    return {finding.rule: finding.severity for finding in found}


def run(*arguments: object):
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


def test_a_sound_policy_has_no_findings():
    """Every lint test below changes this one."""
    assert findings(parse(TEXT)) == {}


@pytest.mark.parametrize(
    ("pairs", "rule", "severity"),
    [
        ([("min_users: 200", "min_users: 3")], "threshold-below-noise", "error"),
        ([("min_users: 200", "min_users: 30")], "threshold-below-noise", "warning"),
        ([("epsilon: 2.0", "epsilon: 4.5")], "epsilon-above-practice", "warning"),
        ([("epsilon: 2.0", "epsilon: 12.0"), ("epsilon: 8.0", "epsilon: 40.0")], "epsilon-above-practice", "error"),
        ([("epsilon: 8.0", "epsilon: 11.0")], "yearly-epsilon-high", "warning"),
        ([("1.2e-6", "2.0e-5")], "delta-too-large", "warning"),
        ([("1.2e-6", "2.0e-4")], "delta-too-large", "error"),
        ([("retention:", "facets: [{name: language}]\nretention:")], "facet-too-fine", "warning"),
        ([("epsilon: 8.0", "epsilon: 4.0")], "year-ends-early", "warning"),
        ([("1.2e-6", "1.1e-6")], "year-ends-early", "warning"),
        ([("delta: 1.0e-7}", "delta: 1.0e-7, release: 0.9, queries: 0.1}")], "queries-idle", "warning"),
        ([("[policy]", "[policy, queries]")], "queries-idle", "warning"),
        ([("min_conversations: 200", "min_conversations: 199")], "threshold-without-effect", "warning"),
        ([("retention:", "contributions: {conversations_per_user: 2}\nretention:")], "bound-without-effect", "warning"),
        ([("retention:", "input: {user_id: c, conversation_id: c}\nretention:")], "user-is-conversation", "error"),
        ([("[releases]", "[ledger]")], "nobody-reads", "warning"),
        ([("derived_ttl: 45d", "derived_ttl: 45d, raw_ttl: 46d")], "raw-outlives-derived", "error"),
        ([("derived_ttl: 45d", "derived_ttl: 45d, raw_ttl: 32d")], "raw-outlives-epoch", "warning"),
        ([("derived_ttl: 45d", "derived_ttl: 30d")], "derived-shorter-than-epoch", "warning"),
        ([("derived_ttl: 45d", "derived: keep_until_ttl, derived_ttl: 45d")], "derived-outlives-release", "warning"),
    ],
)  # fmt: skip
def test_each_rule_finds_what_it_is_for(pairs, rule, severity):
    assert findings(changed(*pairs)).get(rule) == severity


def test_lint_knows_who_holds_a_role_and_which_leave_ends_soon():
    policy = changed(("sfumato/v1\n", "sfumato/v1\nextends: standard\n"))
    assert findings(policy, held={"analyst"}) == findings(policy) | {"role-without-holder": "warning"}
    loosened = TEXT.replace("sfumato/v1\n", "sfumato/v1\nextends: standard\n").replace(
        "min_users: 200", "min_users: 49"
    )
    leave = "override: [{field: thresholds.min_users, reason: r, approved_by: a, expires: 2026-12-20}]\n"
    assert findings(parse(loosened + leave, clock=lambda: TODAY)).get("override-ends-soon") == "warning"


@pytest.mark.parametrize("name", ["standard", "strict"])
def test_the_formal_policies_lint_clean(name):
    assert findings(load(builtin_path(name))) == {}


def test_of_the_guarded_policy_lint_says_what_its_names_lack_and_nothing_else():
    assert findings(load(builtin_path("clio"))) == {"names-without-guarantee": "warning"}


def test_every_built_in_policy_passes_its_cases_and_they_reach_every_decision():
    reached = set()
    for policy, file in cases.found(()):
        outcomes = cases.run(load(policy), cases.read(file))
        assert [outcome.case.name for outcome in outcomes if not outcome.passed] == []
        reached |= {outcome.case.given.at for outcome in outcomes}
    assert {policy.stem for policy, _ in cases.found(())} == set(builtin_names())
    (named,) = cases.found([Path("strict")])
    assert named[0] == builtin_path("strict")
    assert reached == {kind.model_fields["at"].annotation.__args__[0] for kind in FACTS}


FACTS = cases.Facts.__args__[0].__args__
TOPIC = {"at": "release_topic", "users": 300, "conversations": 900}
DERIVED = {"at": "retention", "data": "derived"}
PLAN = "facets: [{name: p, kind: category, domain: [a], attribute: plan}]\nretention:"


@pytest.mark.parametrize(
    ("old", "new", "case", "rule"),
    [
        ("min_users: 200", "min_users: 199", TOPIC | {"users": 199}, "thresholds.min_users"),
        ("conversations: 200", "conversations: 199", TOPIC | {"conversations": 199}, "thresholds.min_conversations"),
        ("min_users: 200", "min_users: 199", {"at": "release_cell", "users": 199}, "thresholds.min_users"),
        ("unit: user", "unit: conversation", {"at": "ingest_record", "user_id": False}, "unit"),
        ("retention:", PLAN, {"at": "ingest_attribute", "attribute": "plan"}, "facets"),
        ("45d", "45d, raw_ttl: 25h", {"at": "retention", "data": "raw", "age": "25h"}, "retention.raw_ttl"),
        ("45d", "46d", DERIVED | {"age": "46d"}, "retention.derived_ttl"),
        ("45d", "45d, derived: keep_until_ttl", DERIVED | {"age": "1d", "used": True}, "retention.derived"),
        ("[policy]", "[policy, keys]", {"at": "access", "role": "admin", "operation": "keys"}, "access.admin"),
    ],
)
def test_each_decision_follows_its_field_and_names_it(old, new, case, rule):
    given = cases.Case.model_validate({"name": "n", "given": case, "expect": {"decision": "allow", "rule": "r"}}).given
    before, after = given.decided(parse(TEXT)), given.decided(changed((old, new)))
    assert (before.allowed, before.rule, after.allowed) == (False, rule, True)


def test_a_number_that_is_none_is_never_released():
    limits = parse(TEXT).thresholds
    assert not decide.release_topic(limits, users=math.nan, conversations=900).allowed
    assert not decide.release_topic(limits, users=900, conversations=math.nan).allowed
    assert not decide.release_cell(limits, users=math.nan, sigma=1).allowed
    assert not decide.release_cell(limits, users=900, sigma=math.nan).allowed
    assert not decide.keep(parse(TEXT).retention, data="raw", age=timedelta(hours=24, seconds=1), used=False).allowed
    assert not decide.access(parse(TEXT).access, role="model_fields", operation="releases").allowed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []", "cases are a YAML list"),
        ("[]", "cases are a YAML list"),
        (
            "- {name: a, given: {at: access, role: b}, expect: {decision: allow, rule: c}}",
            "1:13: cases.0.given.operation: missing",
        ),
        ("- {name: a, given: {at: moon}, expect: {decision: allow, rule: c}}", "cases.0.given"),
        (
            "- {name: a, given: {at: release_cell, users: 1, user: 2}, expect: {decision: deny, rule: c}}",
            "1:49: cases.0.given.user: no such field",
        ),
        ("- {name: a, given: {at: release_cell, users: 1}, expect: {decision: maybe, rule: c}}", "expect.decision"),
    ],
)
def test_cases_that_are_wrong_get_one_line_with_their_place(tmp_path, text, says):
    (tmp_path / "p.cases.yaml").write_text(text)
    with pytest.raises(PolicyError) as refused:
        cases.read(tmp_path / "p.cases.yaml")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_forecast_has_the_scales_that_the_plan_gives_a_release():
    """By the formula of the Gaussian mechanism, from the plan's own charges."""
    policy = load(builtin_path("standard"))
    figures, plan = forecast(policy), release_plan(policy, dataset="d", epoch="2026-11")
    charges = plan.topics.charges(["language"])
    for level, reach, charge in zip(
        figures.levels, LEVEL_REACH, ("leaf users", "middle users", "top users"), strict=True
    ):
        unit = math.sqrt(1e9 / (2 * charges[charge]))
        assert level.low == pytest.approx(unit, rel=1e-6)
        assert level.high == pytest.approx(unit * math.sqrt(min(reach, 5)), rel=1e-6)
    assert figures.epsilon == pytest.approx(2.0, abs=1e-3)
    assert figures.epsilon <= 2.0
    assert figures.epochs_paid * plan.rho <= plan.caps.yearly_rho
    assert figures.epochs_paid * plan.delta <= plan.caps.yearly_delta
    assert min((figures.epochs_paid + 1) * plan.rho - plan.caps.yearly_rho, 1) == 1 or (
        (figures.epochs_paid + 1) * plan.delta > plan.caps.yearly_delta
    )
    assert figures.yearly_epsilon <= policy.guarantee.yearly.epsilon


def test_a_budget_too_small_for_a_release_is_an_error_of_lint_and_of_explain(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(TEXT.replace("epsilon: 2.0", "epsilon: 0.0001"))
    linted = run("lint", path, "--json")
    assert linted.exit_code == 1
    assert [problem["rule"] for problem in json.loads(linted.stdout)["problems"]] == ["budget-too-small"]
    assert isinstance(run("explain", path).exception, PolicyError)


def test_intervals_hold_95_of_100_and_are_cut_at_zero():
    assert interval(500, 10) == (480, 520)
    assert interval(5, 10) == (0, 25)
    assert reaches(50, 10, 50) == pytest.approx(0.5, abs=0.03)
    assert reaches(70, 10, 50) == pytest.approx(0.98, abs=0.01)


def test_a_published_interval_holds_a_whole_truth_as_often_as_that_of_its_noise_and_holds_the_number_itself():
    draw, truth = np.random.default_rng(11), 100
    for sigma in (0.2, 0.6, 2.0, 9.0):
        noise = draw.normal(0, sigma, 4000)
        shown = [published(truth + one, sigma) for one in noise]
        assert all(0 <= low <= value <= high for value, low, high in shown)
        within = np.abs(noise) <= Z95 * sigma
        held = np.array([low <= truth <= high for _, low, high in shown])
        assert held[within].all()
        assert not held[~within & (np.abs(noise) >= 0.5)].any()  # nearer than that, the number shown is the truth
    assert published(-7.0, 5.0) == (0, 0, 9)
    assert published(2.6, 0.1) == (3, 3, 3)


def test_explain_names_who_what_and_how_much_in_whole_sentences():
    policy = load(builtin_path("standard"))
    figures = forecast(policy)
    page = {section.title: " ".join(section.lines) for section in explain(policy, figures)}
    assert "analyst: may read releases." in page["By whom"]
    assert "One user with all they wrote in a month" in page["Whose presence is hidden"]
    assert "epsilon 2 at delta 1e-07" in page["At what cost"]
    assert f"pays for {figures.epochs_paid} releases" in page["At what cost"]
    assert f"reaches {figures.selection.threshold} users" in page["Which phrases can appear"]
    for users in ("50", "500", "5,000"):
        assert f"A topic of {users} users" in page["How exact the numbers are"]
    assert all(line.endswith(".") for section in explain(policy, figures) for line in section.lines)
    alone = changed(("unit: user", "unit: conversation"))
    assert "NOT protected as a whole" in str(explain(alone, forecast(alone)))
    rows = expected(policy, figures)
    assert [row["users"] for row in rows if row["level"] == "leaf"] == [50, 500, 5000]


def test_an_override_stands_in_the_explanation(tmp_path):
    leave = (
        "override: [{field: thresholds.min_users, reason: a pilot, approved_by: the officer, expires: 2036-12-20}]\n"
    )
    path = tmp_path / "p.yaml"
    path.write_text(TEXT.replace("v1\n", "v1\nextends: standard\n").replace("min_users: 200", "min_users: 49") + leave)
    assert "allowed by the officer until 2036-12-20: a pilot" in re.sub(r"\s+", " ", run("explain", path).stdout)


def test_diff_says_which_way_by_its_exit_code():
    assert run("diff", "standard", "standard").exit_code == 0
    assert run("diff", "standard", "strict").exit_code == 0
    assert run("diff", "strict", "standard").exit_code == 10
    told = json.loads(run("diff", "strict", "standard", "--json").stdout)
    assert told["overall"] == "weaker"
    assert {entry["verdict"] for entry in told["fields"]} == {"weaker", "same"}


def test_what_is_stronger_here_and_weaker_there_is_incomparable(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(TEXT.replace("epsilon: 2.0", "epsilon: 1.0").replace("45d", "46d"))
    assert run("diff", tmp_path / "a.yaml", tmp_path / "b.yaml").exit_code == 11


def test_policy_test_fails_where_a_decision_is_not_the_expected_one(tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT)
    (tmp_path / "p.cases.yaml").write_text(
        "- {name: good, given: {at: release_cell, users: 200}, expect: {decision: allow, rule: thresholds.min_users}}\n"
        "- {name: way, given: {at: release_cell, users: 200}, expect: {decision: deny, rule: thresholds.min_users}}\n"
        "- {name: wrong rule, given: {at: release_cell, users: 200}, expect: {decision: allow, rule: unit}}\n"
    )
    told = json.loads(run("test", tmp_path, "--json").stdout)
    assert (told["cases"], told["failed"]) == (3, 2)
    assert [result["passed"] for result in told["results"]] == [True, False, False]
    assert run("test", tmp_path).exit_code == 1
    assert run("test").exit_code == 0
    (tmp_path / "lone.yaml").write_text(TEXT)
    assert isinstance(run("test", tmp_path / "lone.yaml").exception, PolicyError)


def test_lint_asks_the_deployment_who_holds_a_key(tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT)
    keys = ApiKeys.open(tmp_path)
    keys.issue("analyst")
    revoked = keys.issue("admin")
    keys.revoke(revoked.split("_")[1])
    told = json.loads(run("lint", tmp_path / "p.yaml", "--data", tmp_path, "--json").stdout)
    assert [(problem["rule"], problem["field"]) for problem in told["problems"]] == [
        ("role-without-holder", "access.admin")
    ]


def test_the_schema_for_editors_asks_for_less_where_a_policy_extends_another():
    schema = json_schema()
    assert json.loads(run("schema").stdout) == schema
    assert "extends" in schema["then"]["properties"]
    assert "required" not in schema["then"]
    assert {"unit", "guarantee", "epoch"} <= set(schema["else"]["required"])
    assert "required" not in schema["$defs"]["PartialBudget"]
    assert schema["$defs"]["Budget"]["required"] == ["epsilon", "delta"]
    assert set(schema["$defs"]["PartialOverride"]["required"]) == {"field", "reason", "approved_by", "expires"}
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)):
        assert name in schema["$defs"]


def test_the_readme_of_the_policies_has_a_line_for_every_field():
    listed = set(
        re.findall(r"`([^`]+)`", "".join(re.findall(r"(?m)^\| `.*? \|", (POLICIES / "README.md").read_text())))
    )
    assert set(DIRECTIONS) - {"facets", "override"} <= listed | {"apiVersion", "kind"}
    assert {"facets", "override", "extends", "apiVersion", "kind", *builtin_names()} <= listed


def test_the_table_of_deployed_systems_has_a_source_for_each():
    assert all(system.source and system.unit and system.epsilon > 0 for system in DEPLOYED)
    assert [system.name for system in at_least(30)] == ["LinkedIn, audience engagement"]


def test_the_roles_of_the_policy_are_the_roles_of_the_keys():
    assert tuple(type(parse(TEXT).access).model_fields) == ROLES
