"""The policy loader: what it accepts, and the one line it gives for what it does not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from sfumato.errors import PolicyError
from sfumato.policy.load import builtin_names, digest, load, located, parse
from sfumato.policy.schema_base import exact

POLICIES = Path(__file__).parents[2] / "policies"
ASKS = "provider: anthropic, model: m"
MINIMAL = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: minimal}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 1.0, delta: 1.0e-7}
  yearly: {epsilon: 4.0, delta: 1.0e-6}
"""


def test_every_policy_in_the_folder_loads() -> None:
    names = [path.stem for path in POLICIES.glob("*.yaml") if not path.name.endswith(".cases.yaml")]
    assert {"standard", "strict", "clio"} <= set(names)
    assert sorted(names) == builtin_names()
    for name in names:
        assert load(POLICIES / f"{name}.yaml").metadata.name == name


def test_the_digest_names_the_resolved_content_and_not_its_spelling() -> None:
    plain = parse(MINIMAL)
    respelled = parse(MINIMAL.replace("1.0e-7", "0.0000001") + "facets: []\n")
    assert digest(plain) == digest(respelled)
    assert digest(plain) != digest(parse(MINIMAL.replace("epsilon: 1.0", "epsilon: 1.1")))


def test_a_declared_decimal_is_read_exactly() -> None:
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e-7) == Fraction(1, 10**7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("epsilon: 1.0", "epsilon: 0"), "policy:7:12: guarantee.budget.epsilon: must be greater than 0"),
        (("epsilon: 1.0", "epsilon: -1"), "guarantee.budget.epsilon: must be greater than 0"),
        (("epsilon: 1.0", "epsilon: .inf"), "guarantee.budget.epsilon: must be a finite number"),
        (("epoch: month", "epoch: mnth"), "epoch: must be one of day, week, month, quarter, year; did you mean month?"),
        (("unit: user", "unit: user\nretention: {raw_ttl: 24}"), "raw_ttl: must be hours or days, such as 24h or 30d"),
        (("unit: user", "unit: user\nretention: {raw_ttl: 1w}"), "raw_ttl: must be hours or days, such as 24h or 30d"),
        (("unit: user", "unit: user\nthresholds: {min_users: 1e2}"), "min_users: must be a whole number"),
        (
            ("unit: user", "unit: user\nfacets: [{name: lang, kind: category, domain: iso693}]"),
            "domain: must be iso639 or a list of values; did you mean iso639?",
        ),
        (("epsilon: 1.0", "epsilon: .nan"), "guarantee.budget.epsilon"),
        (("epsilon: 1.0", "epsilon: 'one'"), "guarantee.budget.epsilon"),
        (("epsilon: 1.0", "epsilon: true"), "guarantee.budget.epsilon"),
        (("unit: user\n", ""), "unit: missing"),
        (("unit: user", "unit: token"), "unit"),
        (("unit: user", "unit: user\nunit: conversation"), "policy:5:1: this key stands twice"),
        (("unit: user", "unit: user\nthreshold: {}"), "did you mean thresholds?"),
        (("  yearly: {epsilon: 4.0", "  yearly: {epsilon: 0.5"), "policy:8:3: guarantee.yearly: smaller"),
        (("unit: user", "unit: user\nfacets: [{name: mood}]"), "nothing computes it"),
        (("unit: user", "unit: user\nfacets: [{name: plan, kind: category}]"), "closed domain"),
        (("unit: user", "unit: &u user\nepoch: *u"), "aliases"),
        (("unit: user", "unit: ["), "not valid YAML"),
        (("unit: user", "unit: user\nextraction: {provider: oracle}"), "extraction.provider"),
        (("unit: user", "unit: user\nextends: nowhere.yaml"), "can't read the policy"),
        (
            ("guarantee:", "guarantee:\n  mode: guarded"),
            "policy:7:3: guarantee.mode: guarded mode is Clio as published",
        ),
        (
            ("unit: user", "unit: user\nqueries: {live: true}"),
            "queries.live: needs a share of the budget",
        ),
        (("unit: user", "unit: user\nextraction: {provider: anthropic}"), "provider anthropic needs a model"),
        (("unit: user", "unit: user\nextraction: {model: m}"), "model and base_url belong to provider anthropic"),
        (("unit: user", "unit: user\nextraction: {batch: true}"), "the extractive provider asks none"),
        (
            ("unit: user", f"unit: user\nextraction: {{{ASKS}, base_url: 'http://example.org'}}"),
            "conversations in clear",
        ),
        (("unit: user", f"unit: user\nextraction: {{{ASKS}, base_url: 'https://a:b@c'}}"), "without a password"),
        (("unit: user", f"unit: user\nextraction: {{{ASKS}, base_url: 'https://[c'}}"), "not an address"),
        (("unit: user", f'unit: user\nextraction: {{{ASKS}, base_url: "https://c\\td"}}'), "write the address as"),
        (("unit: user", f"unit: user\nextraction: {{{ASKS}, base_url: 'file:///c'}}"), "write the address as"),
        (("unit: user", f"unit: user\nextraction: {{{ASKS}, region: Mars!}}"), "extraction.region"),
        (("unit: user", "unit: user\nauditor: {minimum: 6}"), "auditor.minimum"),
        (("unit: user", "unit: user\nnaming: {evidence: private_summaries}"), "names from summaries are written by a"),
        (
            ("unit: user", f"unit: user\nnaming: {{{ASKS}, evidence: private_summaries}}"),
            ": naming.evidence: names from private summaries exist in guarded mode only",
        ),
        (("unit: user", "unit: user\nscreen: {ask: Is it?}"), "asks a question, which only a model answers"),
        (("unit: user", "unit: user\nspend: {usd_per_epoch: 0}"), "spend.usd_per_epoch"),
        (("unit: user", "unit: user\nfacets: [{name: mood, kind: scale}]"), "kind scale needs ask and range"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: scale, ask: a, range: [5, 1]}]"), "a scale's range is"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: scale, ask: a, range: [1, 99]}]"), "a scale's range is"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: number, ask: a, bins: [3, 3]}]"), "must ascend"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: yes_no, ask: a, bins: [3]}]"), "has no bins; leave it"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: multi_label, ask: a}]"), "needs domain"),
        (("unit: user", "unit: user\nfacets: [{name: m, kind: path, ask: a}]"), "needs taxonomy"),
        (
            ("unit: user", "unit: user\nfacets: [{name: m, kind: category, domain: [a], ask: a, attribute: b}]"),
            "read from an attribute or asked of a model, not both",
        ),
        (("unit: user", "unit: user\nfacets: [{name: screened}]"), "nothing computes it"),
        (("unit: user", "unit: user\ntopics: {at_most: 2}"), "at_most is for a declared taxonomy"),
        (("unit: user", "unit: user\ntopics: {leaves: 9, taxonomy: {file: t}}"), "a declared taxonomy has its own"),
        (("unit: user", "unit: user\nfacets: [{name: turns, attribute: x}]"), "leave them out"),
        (("unit: user", "unit: user\nfacets: [{name: a, kind: category, domain: []}]"), "facets.0.domain"),
        (("unit: user", 'unit: user\n"a\\nb": 1'), "a?b: no such field"),
        (
            ("unit: user", "unit: user\noverride: [{field: unit, reason: r, approved_by: a, expires: 2030-01-01}]"),
            "nothing to override without extends",
        ),
    ],
)
def test_a_policy_that_is_not_acceptable_gets_one_line_with_place_and_advice(
    change: tuple[str, str], says: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        parse(MINIMAL.replace(*change))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_child_may_tighten_and_may_not_loosen() -> None:
    child = "apiVersion: sfumato/v1\nkind: PrivacyPolicy\nextends: standard\nmetadata: {name: child}\n"
    assert parse(child + "thresholds: {min_users: 80}\n").thresholds.min_users == 80
    assert parse(child + "guarantee: {budget: {epsilon: 0.5}}\n").guarantee.budget.delta == 1e-7
    for looser in (
        "thresholds: {min_users: 49}\n",
        "guarantee: {budget: {epsilon: 2.5}}\n",
        "guarantee: {yearly: {delta: 1.0e-5}}\n",
        "unit: conversation\n",
    ):
        with pytest.raises(PolicyError, match=r"looser|may not change"):
            parse(child + looser)


@pytest.mark.parametrize("text", ["a: " + "[" * 3000, "a: " + "[1," * 20_000, "a: [" + "1," * 60_000 + "]"])
def test_what_is_nested_or_long_beyond_any_policy_is_refused_before_it_is_built(text: str) -> None:
    with pytest.raises(PolicyError, match=r"no policy|not valid YAML"):
        parse(text)


def test_what_is_not_there_is_told_where_it_was_named_and_with_what_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL + "extends: standrad\n")
    with pytest.raises(PolicyError, match=r"a\.yaml:9:1: extends: there is no file standrad .*did you mean standard\?"):
        load(tmp_path / "a.yaml")
    with pytest.raises(PolicyError, match=r"\(no such file\); did you mean strict\?"):
        located("stricct")
    with pytest.raises(PolicyError, match=r"\(a directory\)"):
        load(tmp_path)


def test_a_circle_of_extends_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL + "extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text(MINIMAL + "extends: a.yaml\n")
    with pytest.raises(PolicyError, match="circle"):
        load(tmp_path / "a.yaml")


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"\xff\xfeh\x00", b"- 1\n- 2\n", b"null\n", b"a" * 300_000])
def test_a_file_that_is_no_policy_gets_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(PolicyError) as refused:
        load(tmp_path / "p.yaml")
    assert "\n" not in str(refused.value)
