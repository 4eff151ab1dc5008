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
    "retention": {"raw_ttl": "48h", "derived_ttl": "30d", "derived": "keep_until_ttl"},
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
    "extraction.window": (st.integers(0, 2_000_000), -1),
    "topics.at_most": (st.integers(0, 11), -1),
    "auditor.minimum": (st.integers(0, 6), 1),
    "queries.epsilon_per_query": (numbers, -1),
    "queries.per_analyst.epsilon": (numbers, -1),
    "queries.most_per_minute": (st.integers(0, 7000), -1),
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
    "embedding.model": words,
    "embedding.sha256": st.sampled_from(["0" * 64, "f" * 64, "short"]),
    "extraction.model": st.sampled_from(["one", "two", "", None]),
    "extraction.about": st.sampled_from(["what is asked", "what is felt", None]),
    "screen": st.sampled_from([{"ask": "Is it about work?"}, {"ask": "Is it about school?"}, {}, None]),
    "topics.leaves": st.one_of(st.none(), st.integers(0, 6000)),
    "topics.taxonomy": st.sampled_from([{"file": "a"}, {"file": "b"}, {"file": "a", "id": "node"}, None]),
    "naming.model": st.sampled_from(["one", "two", None]),
    "auditor.model": st.sampled_from(["one", "two", None]),
    "auditor.rubric": st.sampled_from(["mine.yaml", "", "audit/no_individuals.yaml"]),
    "auditor.on_error": st.sampled_from(["deny", "allow"]),
    "retention.raw": st.sampled_from(["discard_after_extraction", "keep"]),
}
# From the tightest to the loosest.
RANKED = {
    "extraction.provider": ["extractive", "anthropic"],
    "naming.provider": ["phrases", "anthropic"],
    "naming.evidence": ["released_phrases", "private_summaries"],
    "auditor.provider": ["anthropic", "detectors"],
    "auditor.on_denial": ["drop", "coarser"],
    "retention.raw_key": ["memory", "stored"],
    "retention.derived": ["discard_after_release", "keep_until_ttl"],
    "signature_required": [True, False],
    "extraction.batch": [False, True],
    "queries.live": [False, True],
}
SETS = {
    **dict.fromkeys(ROLES, roles),
    "queries.measures": st.lists(st.sampled_from(["users", "conversations", "mean", "median"]), max_size=3),
    "queries.group_by": st.lists(st.sampled_from(["topic", "turns", "plan", "mood"]), max_size=3),
}
HERE = ("http://127.0.0.1:8000", "http://localhost", "https://[::1]:9")
ENDPOINTS = ("extraction.base_url", "naming.base_url", "auditor.base_url")
addresses = st.sampled_from([None, *HERE, "https://api.anthropic.com", "https://models.example.org", "http://x.org"])
facets = st.sampled_from(
    [
        {"name": "turns"}, {"name": "hour"}, {"name": "mood"},
        {"name": "plan", "kind": "category", "domain": ["free", "team"]},
        {"name": "plan", "kind": "category", "domain": ["free", "team", "pro"]},
        {"name": "plan", "kind": "category", "domain": ["free", "team"], "attribute": "tier"},
        {"name": "plan", "kind": "category", "domain": ["free", "team"], "ask": "Which plan?"},
        {"name": "plan", "kind": "category", "domain": ["free", "team"], "attribute": "plan"},
        {"name": "mood", "ask": "Which mood?", "kind": "multi_label", "domain": ["calm", "cross"]},
        {"name": "mood", "ask": "Which mood?", "kind": "multi_label", "domain": ["calm", "cross"], "at_most": 1},
        {"name": "mood", "ask": "How cross?", "kind": "scale", "range": [1, 5]},
        {"name": "mood", "ask": "How cross?", "kind": "scale", "range": [1, 4]},
        {"name": "mood", "ask": "How cross?", "kind": "number", "bins": [0, 10]},
        {"name": "mood", "ask": "How cross?", "kind": "number", "bins": [0, 10, 20]},
        {"name": "mood", "ask": "Cross?", "kind": "yes_no"},
        {"name": "mood", "ask": "Very cross?", "kind": "yes_no"},
        {"name": "mood", "ask": "Which?", "kind": "path", "taxonomy": {"file": "moods"}},
        {"name": "mood", "ask": "Which?", "kind": "path", "taxonomy": {"file": "moods"}, "at_most": 3},
        {"name": "mood", "ask": "Which?", "kind": "path", "taxonomy": {"file": "moods", "sha256": "0" * 64}},
    ]
)  # fmt: skip
facet_lists = st.lists(facets, max_size=4)
different_facets = st.lists(facets, max_size=4, unique_by=lambda facet: facet["name"])
VALUES = (
    {name: values for name, (values, _) in ORDERED.items()}
    | dict.fromkeys(LIVES, durations)
    | SETS
    | dict.fromkeys(FREE, words)
    | NEITHER
    | {name: st.sampled_from([*values, "keep"]) for name, values in RANKED.items()}
    | dict.fromkeys(ENDPOINTS, addresses)
    | {
        "input.line_bytes": st.integers(0, 10**9),
        "extraction.concurrency": st.integers(0, 300),
        "extraction.region": st.sampled_from([None, "eu", "us-east", "Mars!"]),
        "spend.usd_per_epoch": st.one_of(st.none(), st.floats(0, 1e6)),
        "facets": facet_lists,
    }
)
changes = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))


def text(tree: dict[str, object]) -> str:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.representer.ignore_aliases = lambda _: True
    writer.dump(tree, out)
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


def nearer(before, after) -> str:
    """An endpoint on this machine sends nothing away."""
    near = (before in HERE, after in HERE)
    same = near == (True, True) or (before or "https://api.anthropic.com") == (after or "https://api.anthropic.com")
    return "same" if same else {(False, True): "stronger", (True, False): "weaker"}.get(near, "incomparable")


def expected(field: str, before, after) -> str:
    """The verdict on one field by what it means."""
    if field in ENDPOINTS:
        return nearer(before, after)
    if field == "extraction.region" and None in {before, after}:
        return sign(bool(after) - bool(before))
    if field in {*NEITHER, "extraction.region"}:
        return "same" if before == after else "incomparable"
    return ordered(field, before, after)


def ordered(field: str, before, after) -> str:
    if field in ORDERED:
        return sign(ORDERED[field][1] * (after - before))
    if field in LIVES:
        return sign(hours(before) - hours(after))
    if field in RANKED:
        return sign(RANKED[field].index(before) - RANKED[field].index(after))
    if field in SETS:
        gained, lost = set(after) - set(before), set(before) - set(after)
        return "incomparable" if gained and lost else "weaker" if gained else "stronger" if lost else "same"
    return "same"


def test_every_field_of_the_schema_has_a_direction_and_every_direction_a_field():
    assert sorted(schema_fields()) == sorted(DIRECTIONS)


def test_the_changes_below_reach_every_field_of_the_schema():
    """Overrides need something to override; they are tested with inheritance."""
    below = {name for name in DIRECTIONS if "*" in name or name == "override"}
    assert set(VALUES) == set(DIRECTIONS) - below


quick = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


# Two starting points: no model is asked anything, and models are.
MODEL = {"provider": "anthropic", "model": "one"}
ASKED = BASE | {section: dict(MODEL) for section in ("extraction", "naming", "auditor")}
DECLARED = ASKED | {"topics": {"taxonomy": {"file": "a"}, "at_most": 2}}
OFF = {"extraction": "extractive", "naming": "phrases", "auditor": "detectors"}
OF_A_MODEL = ("model", "base_url", "about", "window", "batch", "concurrency", "region", "rubric", "minimum")


def of_nobody(before, after, field: str) -> bool:
    """A setting of a model where one of the two asks none there: the provider is what has changed, or nothing."""
    section, _, name = field.partition(".")
    asks_none = [value_of(one, section).provider == OFF[section] for one in (before, after)] if section in OFF else []
    return name in OF_A_MODEL and any(asks_none)


def facet_verdict(old, new) -> str:
    """By what a facet asks: fewer values of one conversation, a pinned tree are tighter; else it is another facet."""
    if asks(old) != asks(new) or None not in {pin(old), pin(new), *({None} if pin(old) == pin(new) else ())}:
        return "incomparable"
    verdicts = {sign(several(old) - several(new)), sign((pin(new) is not None) - (pin(old) is not None))} - {"same"}
    return verdicts.pop() if len(verdicts) == 1 else "incomparable" if verdicts else "same"


def pin(facet) -> str | None:
    return facet.taxonomy and facet.taxonomy.sha256


def asks(facet) -> tuple:
    attribute = facet.attribute or facet.name
    tree = facet.taxonomy and facet.taxonomy.model_copy(update={"sha256": None, "source": None})
    return (facet.kind, attribute, facet.domain, facet.ask, facet.range, facet.bins, tree)


def several(facet) -> int:
    """Values of one conversation: all of a list of labels, one node of a tree, unless `at_most` says otherwise."""
    return facet.at_most or {"multi_label": len(facet.domain or ())}.get(facet.kind, 1)


@pytest.mark.parametrize("start", [BASE, ASKED, DECLARED], ids=["no model", "models", "a declared taxonomy"])
@settings(quick, max_examples=60)
@given(change=changes)
def test_a_policy_changed_in_one_field_fails_to_load_or_is_classified_by_what_the_field_means(start, change):
    field, value = change
    before = loaded(start)
    try:
        after = loaded(changed(start, field, value))
    except PolicyError as refused:
        assert "\n" not in str(refused)  # noqa: PT017
        return
    found = {entry.field: entry.verdict for entry in compare(before, after)}
    different = {name: verdict for name, verdict in found.items() if verdict != "same"}
    if field == "facets":
        old, new = ({facet.name: facet for facet in one.facets} for one in (before, after))
        for name in old | new:
            want = "weaker" if name not in old else "stronger" if name not in new else None
            assert found[f"facets.{name}"] == (want or facet_verdict(old[name], new[name]))
        return
    want = expected(field, value_of(before, field), value_of(after, field))
    if of_nobody(before, after, field):
        want = "same"
    assert different == ({} if want == "same" else {field: want})
    assert overall(compare(before, after)) == want


@settings(quick, max_examples=60)
@given(one=different_facets, two=different_facets)
def test_every_kind_of_facet_is_compared_with_every_other_by_what_it_asks(one, two):
    try:
        before, after = (loaded(changed(ASKED, "facets", facets)) for facets in (one, two))
    except PolicyError:
        assume(False)
    old, new = ({facet.name: facet for facet in each.facets} for each in (before, after))
    found = {entry.field: entry.verdict for entry in compare(before, after)}
    for name in old.keys() & new.keys():
        assert found[f"facets.{name}"] == facet_verdict(old[name], new[name])


@pytest.mark.parametrize(
    ("section", "before", "after", "verdict"),
    [
        ("extraction", {}, MODEL | {"about": "x", "window": 500, "batch": True, "region": "eu"}, "weaker"),
        ("extraction", {}, MODEL | {"base_url": HERE[0]}, "weaker"),
        ("extraction", MODEL, MODEL | {"model": "two"}, "incomparable"),
        ("extraction", MODEL, MODEL | {"base_url": HERE[0]}, "stronger"),
        ("extraction", MODEL, MODEL | {"base_url": "https://api.anthropic.com"}, "same"),
        ("extraction", MODEL, MODEL | {"base_url": "https://models.example.org"}, "incomparable"),
        ("extraction", MODEL | {"base_url": HERE[0]}, MODEL | {"base_url": HERE[1]}, "same"),
        ("extraction", MODEL, MODEL | {"region": "eu"}, "stronger"),
        ("extraction", MODEL | {"region": "eu"}, MODEL | {"region": "us"}, "incomparable"),
        ("extraction", MODEL, MODEL | {"batch": True}, "weaker"),
        ("naming", {}, MODEL, "weaker"),
        ("naming", MODEL, {}, "stronger"),
        ("auditor", {}, MODEL | {"rubric": "mine.yaml", "minimum": 1}, "stronger"),
        ("auditor", MODEL, MODEL | {"minimum": 5}, "stronger"),
    ],
)
def test_of_a_model_the_provider_decides_first_then_where_it_is_and_what_it_may(section, before, after, verdict):
    first, second = (loaded(BASE | {section: value}) for value in (before, after))
    assert overall(compare(first, second)) == verdict
    assert overall(compare(second, first)) == MIRROR[verdict]


@settings(quick, max_examples=60)
@given(one=st.lists(changes, max_size=3), two=st.lists(changes, max_size=3), draw=st.data())
def test_comparison_the_other_way_round_is_the_mirror_image(one, two, draw):
    trees = []
    for edits in (one, two):
        tree = draw.draw(st.sampled_from([BASE, ASKED]))
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


@settings(quick, max_examples=60)
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
