"""Which sections of a policy decide a release: a stored one answers for those, and no section is forgotten."""

from __future__ import annotations

import pytest

from gateways import policy
from sfumato.planning import DECIDES_THE_ANSWER, release_plan
from sfumato.policy.schema import Policy

DECIDE_NO_NUMBER = {
    "apiVersion": "the form of the document",
    "kind": "the form of the document",
    "metadata": "words for people",
    "signature_required": "who may change the policy",
    "input": "how lines are read: an epoch that is released stays as it was read",
    "spend": "what models may cost",
    "retention": "how long data stays",
    "queries": "what may be asked beside the release; its share is in the budget",
    "access": "who may read",
    "override": "who allowed what a policy's parent does not",
}
OTHERWISE = {
    "unit": "conversation",
    "epoch": "week",
    "guarantee.budget.epsilon": 1.0,
    "contributions.conversations_per_user": 7,
    "contributions.phrases_per_user": 2,
    "contributions.topics_per_user": 2,
    "thresholds.min_users": 61,
    "extraction.provider": "anthropic",
    "embedding.model": "multilingual-e5-small",
    "facets": (),
    "topics.leaves": 9,
    "naming.provider": "anthropic",
    "auditor.on_denial": "drop_topic",
    "auditor.minimum": 5,
}
SAME = {"metadata.owner": "somebody else", "retention.raw_ttl": "1h", "spend.usd_per_epoch": 3}


def question(changed: Policy) -> str:
    return release_plan(changed, dataset="chats", epoch="2026-W03" if changed.epoch == "week" else "2026-01").question


def otherwise(before: Policy, path: str, value: object) -> Policy:
    """The policy with another value at a path, checked or not."""
    name, _, rest = path.partition(".")
    held = getattr(before, name)
    return before.model_copy(update={name: otherwise(held, rest, value) if rest else value})


def test_every_section_decides_the_answer_or_is_told_why_it_does_not() -> None:
    assert set(Policy.model_fields) == DECIDES_THE_ANSWER | set(DECIDE_NO_NUMBER)
    assert not DECIDES_THE_ANSWER & set(DECIDE_NO_NUMBER)
    assert {path.partition(".")[0] for path in OTHERWISE} == DECIDES_THE_ANSWER - {"screen"}


@pytest.mark.parametrize("path", OTHERWISE)
def test_a_policy_that_differs_where_numbers_are_decided_is_another_question(path: str) -> None:
    before = policy()
    after = otherwise(before, path, OTHERWISE[path])
    assert after != before
    assert question(after) != question(before)


@pytest.mark.parametrize("path", SAME)
def test_a_policy_that_differs_elsewhere_is_the_same_question(path: str) -> None:
    before = policy()
    after = otherwise(before, path, SAME[path])
    assert after != before
    assert question(after) == question(before)
