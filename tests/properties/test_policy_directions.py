"""The table of directions: it names every field, comparison mirrors itself, and no child is looser than its parent."""

from __future__ import annotations

import copy
import io
from datetime import date

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sfumato.errors import PolicyError
from sfumato.policy.directions import DIRECTIONS, MIRROR, compare, overall, schema_fields
from sfumato.policy.load import parse

TODAY = date(2026, 11, 21)
BASE = {
    "apiVersion": "sfumato/v1",
    "kind": "PrivacyPolicy",
    "metadata": {"name": "base"},
    "unit": "user",
    "epoch": "month",
    "guarantee": {
        "budget": {"epsilon": 2.0, "delta": 1e-6, "release": 0.5, "queries": 0.25},
        "yearly": {"epsilon": 8.0, "delta": 1e-5},
    },
    "contributions": {"conversations_per_user": 20, "phrases_per_user": 6, "topics_per_user": 5},
    "thresholds": {"min_users": 50, "min_conversations": 60},
    "facets": [{"name": "turns"}, {"name": "plan", "kind": "category", "domain": ["free", "team"]}],
    "retention": {"raw_ttl": "48h", "derived_ttl": "30d"},
    "access": {"analyst": ["releases"], "auditor": ["releases", "audit", "ledger"], "admin": ["policy", "keys"]},
}
OPERATIONS = ["releases", "queries", "audit", "ledger", "ingest", "policy", "keys"]
numbers = st.floats(1e-9, 200, allow_nan=False)
deltas = st.sampled_from([1e-9, 1e-8, 1e-7, 5e-7, 1e-6, 2e-6, 1e-5, 1e-4, 1e-3, 1e-2])
counts = st.integers(-1, 120)
roles = st.lists(st.sampled_from([*OPERATIONS, "everything"]), max_size=4)
durations = st.sampled_from(["1h", "24h", "48h", "2d", "3d", "720h", "30d", "31d", "0h", "soon"])
words = st.sampled_from(["", "other", "user_id"])

# What each field means, written here a second time and not taken from the table: (values, which way is stronger).
ORDERED = {
    "guarantee.budget.epsilon": (numbers, -1),
    "guarantee.budget.delta": (deltas, -1),
    "guarantee.budget.release": (st.floats(0, 1.2), -1),
    "guarantee.budget.queries": (st.floats(0, 1.2), -1),
    "guarantee.yearly.epsilon": (numbers, -1),
    "guarantee.yearly.delta": (deltas, -1),
    "contributions.conversations_per_user": (counts, -1),
    "contributions.phrases_per_user": (counts, -1),
    "contributions.topics_per_user": (counts, -1),
    "thresholds.min_users": (counts, 1),
    "thresholds.min_conversations": (counts, 1),
}
LIVES = ("retention.raw_ttl", "retention.derived_ttl")
ROLES = ("access.analyst", "access.auditor", "access.ingester", "access.admin")
FREE = (
    "metadata.name", "metadata.owner", "metadata.description", "input.conversation_id", "input.user_id",
    "input.messages", "input.role", "input.content", "input.text", "input.timestamp", "input.attributes",
    "input.speaker", "embedding.path",
)  # fmt: skip
NEITHER = {
    "apiVersion": st.sampled_from(["sfumato/v2"]),
    "kind": words,
    "unit": st.sampled_from(["user", "conversation", "token"]),
    "epoch": st.sampled_from(["day", "week", "month", "quarter", "year", "decade"]),
    "guarantee.mode": st.sampled_from(["formal", "guarded"]),
    "extraction.provider": st.sampled_from(["extractive", "anthropic"]),
    "embedding.model": words,
    "embedding.sha256": st.sampled_from(["0" * 64, "f" * 64, "short"]),
    "topics.leaves": st.one_of(st.none(), st.integers(0, 6000)),
    "naming.evidence": st.sampled_from(["released_phrases", "private_summaries"]),
    "auditor.provider": st.sampled_from(["detectors", "model"]),
    "auditor.on_error": st.sampled_from(["deny", "allow"]),
    "retention.raw": st.sampled_from(["discard_after_extraction", "keep"]),
}
facet_lists = st.lists(
    st.sampled_from(
        [
            {"name": "turns"}, {"name": "hour"}, {"name": "mood"},
            {"name": "plan", "kind": "category", "domain": ["free", "team"]},
            {"name": "plan", "kind": "category", "domain": ["free", "team", "pro"]},
            {"name": "plan", "kind": "category", "domain": ["free", "team"], "attribute": "tier"},
        ]
    ),
    max_size=4,
)  # fmt: skip
VALUES = (
    {name: values for name, (values, _) in ORDERED.items()}
    | dict.fromkeys(LIVES, durations)
    | dict.fromkeys(ROLES, roles)
    | dict.fromkeys(FREE, words)
    | NEITHER
    | {
        "input.line_bytes": st.integers(0, 10**9),
        "retention.derived": st.sampled_from(["discard_after_release", "keep_until_ttl", "keep"]),
        "facets": facet_lists,
    }
)
changes = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))


def text(tree: dict[str, object]) -> str:
    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(tree, out)
    return out.getvalue()


def changed(tree: dict[str, object], field: str, value: object) -> dict[str, object]:
    tree = copy.deepcopy(tree)
    *path, last = field.split(".")
    inner = tree
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return tree


def loaded(tree: dict[str, object]):
    return parse(text(tree), clock=lambda: TODAY)


def value_of(policy, field: str):
    for part in field.split("."):
        policy = getattr(policy, part)
    return policy


def hours(duration: str) -> int:
    return int(duration[:-1]) * {"h": 1, "d": 24}[duration[-1]]


def sign(difference: float) -> str:
    return "same" if difference == 0 else "stronger" if difference > 0 else "weaker"


def expected(field: str, before, after) -> str:
    """The verdict on one field by what it means."""
    if field in ORDERED:
        return sign(ORDERED[field][1] * (after - before))
    if field in LIVES:
        return sign(hours(before) - hours(after))
    if field == "retention.derived":
        return sign((before == "keep_until_ttl") - (after == "keep_until_ttl"))
    if field in ROLES:
        gained, lost = set(after) - set(before), set(before) - set(after)
        return "incomparable" if gained and lost else "weaker" if gained else "stronger" if lost else "same"
    if field in NEITHER:
        return "same" if before == after else "incomparable"
    return "same"


def test_every_field_of_the_schema_has_a_direction_and_every_direction_a_field():
    assert sorted(schema_fields()) == sorted(DIRECTIONS)


def test_the_changes_below_reach_every_field_of_the_schema():
    """Overrides need something to override; they are tested with inheritance."""
    below = {name for name in DIRECTIONS if name.startswith(("facets.", "override"))}
    assert set(VALUES) == set(DIRECTIONS) - below


quick = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@settings(quick, max_examples=400)
@given(change=changes)
def test_a_policy_changed_in_one_field_fails_to_load_or_is_classified_by_what_the_field_means(change):
    field, value = change
    before = loaded(BASE)
    try:
        after = loaded(changed(BASE, field, value))
    except PolicyError as refused:
        assert "\n" not in str(refused)  # noqa: PT017
        return
    found = {entry.field: entry.verdict for entry in compare(before, after)}
    different = {name: verdict for name, verdict in found.items() if verdict != "same"}
    if field == "facets":
        old, new = ({facet.name: facet for facet in one.facets} for one in (before, after))
        for name in old | new:
            want = "weaker" if name not in old else "stronger" if name not in new else None
            want = want or ("same" if old[name] == new[name] else "incomparable")
            assert found[f"facets.{name}"] == want
        return
    want = expected(field, value_of(before, field), value_of(after, field))
    assert different == ({} if want == "same" else {field: want})
    assert overall(compare(before, after)) == want


@settings(quick, max_examples=200)
@given(one=st.lists(changes, max_size=3), two=st.lists(changes, max_size=3))
def test_comparison_the_other_way_round_is_the_mirror_image(one, two):
    trees = []
    for edits in (one, two):
        tree = BASE
        for field, value in edits:
            tree = changed(tree, field, value)
        trees.append(tree)
    try:
        first, second = (loaded(tree) for tree in trees)
    except PolicyError:
        assume(False)
    there = {entry.field: entry.verdict for entry in compare(first, second)}
    back = {entry.field: entry.verdict for entry in compare(second, first)}
    assert back == {field: MIRROR[verdict] for field, verdict in there.items()}
    assert overall(compare(second, first)) == MIRROR[overall(compare(first, second))]
    assert overall(compare(first, first)) == "same"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies")
    (path / "base.yaml").write_text(text(BASE))
    return path


@settings(quick, max_examples=400)
@given(edits=st.lists(changes, min_size=1, max_size=3), allow=st.booleans())
def test_a_resolved_child_is_nowhere_looser_than_its_parent_but_where_it_is_overridden(folder, edits, allow):
    from sfumato.policy.load import load

    child: dict[str, object] = {"extends": "base.yaml", "metadata": {"name": "child"}}
    for field, value in edits:
        child = changed(child, field, value)
    if allow:
        entry = {"reason": "trial", "approved_by": "somebody", "expires": "2026-12-01"}
        child["override"] = [entry | {"field": edits[0][0]}]
    (folder / "child.yaml").write_text(text(child))
    try:
        policy = load(folder / "child.yaml", clock=lambda: TODAY)
    except PolicyError as refused:
        assert "\n" not in str(refused)  # noqa: PT017
        return
    overridden = {entry.field for entry in policy.override}
    looser = {
        entry.field
        for entry in compare(load(folder / "base.yaml"), policy)
        if entry.verdict not in {"same", "stronger"}
    }
    assert looser == overridden
