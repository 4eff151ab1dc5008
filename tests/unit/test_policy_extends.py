"""Inheritance: a child tightens; what it loosens needs an override that is needed, known, reasoned and not expired."""

from __future__ import annotations

from datetime import date

import pytest

from sfumato.errors import PolicyError
from sfumato.policy.load import digest, load, parse

TODAY = date(2026, 11, 21)
CHILD = "apiVersion: sfumato/v1\nkind: PrivacyPolicy\nextends: standard\nmetadata: {name: child}\n"
TERSE = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: terse}
unit: user
epoch: month
guarantee: {budget: {epsilon: 1.0, delta: 1.0e-7}, yearly: {epsilon: 4.0, delta: 1.2e-6}}
"""
LOOSER = "thresholds: {min_users: 40}\n"


TWICE = ", {field: thresholds.min_users, reason: r, approved_by: a, expires: 2027-01-01}]"
NOBODY = "override: [{field: thresholds.min_users, reason: r, expires: 2027-01-01}]\n"


def leave(field: str = "thresholds.min_users", reason: str = "pilot", expires: str = "2026-12-31") -> str:
    return f"override: [{{field: {field}, reason: {reason}, approved_by: the officer, expires: {expires}}}]\n"


def child(text: str):
    return parse(CHILD + text, clock=lambda: TODAY)


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as problem:
        child(text)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_an_override_lets_its_field_be_looser_and_stands_in_the_digest():
    loosened = child(LOOSER + leave())
    assert loosened.thresholds.min_users == 40
    assert [entry.expires for entry in loosened.override] == [date(2026, 12, 31)]
    assert digest(loosened) != digest(child(LOOSER + leave(reason="another")))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOOSER, "policy:5:14: thresholds.min_users: 40 is looser than what it extends (50)"),
        ("contributions: {conversations_per_user: 21}\n", "contributions.conversations_per_user: 21 is looser"),
        ("retention: {raw_ttl: 2d}\n", "retention.raw_ttl: 2d is looser"),
        ("retention: {derived: keep_until_ttl}\n", "retention.derived"),
        ("access: {analyst: [releases, keys]}\n", "access.analyst"),
        ("topics: {leaves: 40}\n", "topics.leaves: 40 is neither tighter nor looser than what it extends (none)"),
        ("facets: [{name: language}, {name: hour}]\n", "facets.hour: computed is looser"),
        ("unit: conversation\n" + leave("unit"), "unit: a policy may not change"),
        ("epoch: week\n", "epoch: a policy may not change"),
        (LOOSER + leave(expires="2026-11-20"), "expired on 2026-11-20"),
        (LOOSER + leave("thresholds.min_user"), "did you mean thresholds.min_users?"),
        (LOOSER + leave("thresholds.min_conversations"), "needs none"),
        (LOOSER + leave().replace("]", TWICE), "overridden twice"),
        (leave(), "needs none"),
        (LOOSER + leave(reason="' '"), "override.0.reason"),
        (LOOSER + leave(expires="soon"), "override.0.expires: write the day as YYYY-MM-DD"),
        (LOOSER + leave(expires="2026-13-01"), "policy:6:92: not a timestamp that exists"),
        (LOOSER + leave(expires="'2026-13-01'"), "override.0.expires"),
        (LOOSER + leave(expires="20270101"), "override.0.expires: write the day as YYYY-MM-DD"),
        (LOOSER + NOBODY, "approved_by: missing"),
        ("extraction: {provider: anthropic, model: m}\n", "extraction.provider: anthropic is looser"),
        ("screen: {ask: Is it?}\nextraction: {provider: anthropic, model: m}\n", "extraction.provider: anthropic is"),
        (LOOSER + "override: yes\n", "override"),
    ],
)
def test_what_loosens_or_overrides_wrongly_gets_one_line_with_its_place(text, says):
    assert says in refused(text)


def test_an_override_holds_to_the_end_of_its_last_day():
    assert child(LOOSER + leave(expires="2026-11-21")).thresholds.min_users == 40
    assert child(LOOSER + leave(expires="'2026-11-21'")).thresholds.min_users == 40


def test_a_default_of_the_parent_is_as_binding_as_what_it_states(tmp_path):
    (tmp_path / "terse.yaml").write_text(TERSE)
    (tmp_path / "child.yaml").write_text(CHILD.replace("standard", "terse.yaml") + "thresholds: {min_users: 49}\n")
    with pytest.raises(PolicyError, match=r"49 is looser than what it extends \(50\)"):
        load(tmp_path / "child.yaml")


def test_a_grandchild_carries_the_overrides_of_its_parents_and_falls_with_them(tmp_path):
    (tmp_path / "child.yaml").write_text(CHILD + LOOSER + leave())
    (tmp_path / "grandchild.yaml").write_text(
        CHILD.replace("standard", "child.yaml") + "topics: {leaves: 40}\n" + leave("topics.leaves")
    )
    found = load(tmp_path / "grandchild.yaml", clock=lambda: TODAY)
    assert [entry.field for entry in found.override] == ["thresholds.min_users", "topics.leaves"]
    with pytest.raises(PolicyError, match="expired"):
        load(tmp_path / "grandchild.yaml", clock=lambda: date(2027, 1, 1))
    (tmp_path / "tight.yaml").write_text(CHILD.replace("standard", "child.yaml") + "thresholds: {min_users: 45}\n")
    assert load(tmp_path / "tight.yaml", clock=lambda: TODAY).thresholds.min_users == 45


def test_a_facet_may_go_and_may_be_respelled():
    assert not child("facets: []\n").facets
    assert len(child("facets: [{name: language}]\n").facets) == 1


def test_a_child_that_is_not_a_file_is_refused(tmp_path):
    for parent in (".", "/dev/zero", "'a\\0b'", "x" * 5000):
        (tmp_path / "child.yaml").write_text(CHILD.replace("standard", parent))
        with pytest.raises(PolicyError) as problem:
            load(tmp_path / "child.yaml")
        assert "\n" not in str(problem.value)


def test_no_override_gives_leave_to_go_unsigned():
    """The leave would stand in the very file that nobody signed."""
    unsigned = CHILD.replace("standard", "strict") + "signature_required: false\n"
    for text in (unsigned, unsigned + leave("signature_required")):
        with pytest.raises(PolicyError, match=r"signature_required: false is looser|can't be overridden"):
            parse(text, clock=lambda: TODAY)
    assert parse(CHILD.replace("standard", "strict"), clock=lambda: TODAY).signature_required


def test_with_leave_for_the_provider_a_child_may_name_its_model_and_all_that_belongs_to_it():
    reads = "extraction: {provider: anthropic, model: m, base_url: 'https://c', region: eu, window: 99000, about: x}\n"
    assert child(reads + leave("extraction.provider")).extraction.model == "m"


def test_a_vector_model_brings_its_own_hash_and_leave_for_the_one_is_leave_for_the_other():
    multilingual = "embedding: {model: multilingual-e5-small}\n"
    assert "embedding.model: multilingual-e5-small is neither tighter nor looser" in refused(multilingual)
    found = child(multilingual + leave("embedding.model")).embedding
    assert found.sha256.startswith("1571fc98")
    assert child("").embedding.sha256.startswith("53aa5117")
    forged = multilingual.replace("}", f", sha256: '{'0' * 64}'}}")
    assert "embedding.sha256" in refused(forged + leave("embedding.model"))
