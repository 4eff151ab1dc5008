"""In the strict profile whoever changes policy or keys can't ask: no role has both, whatever is granted by override."""

from __future__ import annotations

import pytest

from live_queries import policy
from sfumato.errors import PolicyError

SIGNED = ("epoch: month", "epoch: month\nsignature_required: true")


def granting(role: str, *operations: str) -> tuple[str, str]:
    granted = {"analyst": "[releases, queries]"} | {role: f"[{', '.join(operations)}]"}
    return "access: {analyst: [releases, queries]}", f"access: {{{', '.join(f'{k}: {v}' for k, v in granted.items())}}}"


@pytest.mark.parametrize("role", ["analyst", "auditor", "ingester", "admin"])
@pytest.mark.parametrize("operations", [("policy", "queries"), ("queries", "policy"), ("keys", "queries")])
def test_no_role_has_both_where_policies_are_signed(role, operations):
    with pytest.raises(PolicyError, match=f"access.{role}: where policies must be signed"):
        policy(SIGNED, granting(role, *operations))


def test_apart_they_are_granted_and_without_signatures_together_too():
    assert policy(SIGNED, granting("admin", "policy", "keys")).access.admin == ("policy", "keys")
    assert policy(granting("admin", "policy", "queries")).access.admin == ("policy", "queries")


def test_strict_demands_signatures_of_all_that_extend_it():
    from sfumato.policy.load import load, located

    assert load(located("strict")).signature_required
