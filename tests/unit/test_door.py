"""The door: thresholds, audit and the refusal of anything that was not measured with OpenDP's noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import Refused
from sfumato.gate.auditor import Auditor
from sfumato.gate.card import card
from sfumato.gate.door import Door, Header, estimate
from sfumato.model.prompt import Prompt, Reply
from sfumato.model.release import Release
from sfumato.policy.schema import Thresholds
from sfumato.privacy.measure import Measurer
from sfumato.privacy.noise import OpenDPNoise
from sfumato.topics.tree import Measured, PhraseUsers, TopicNode, TopicTree

HEADER = Header(dataset="d", epoch="2026-11", created="2026-11-21T00:00:00Z", policy_name="p", policy_digest="0" * 64)
DOMAIN = ("en", "de", "unknown")


def topic(
    name: str, *, parent: str | None = None, level: int = 0, users: float = 500, phrase: str = "bread"
) -> TopicNode:
    return TopicNode(
        id=name.replace(" ", "-"),
        parent=parent,
        level=level,
        name=name,
        description=f"Requests that speak of {phrase}.",
        phrases=(PhraseUsers(text=phrase, users=Measured(value=users / 2, sigma=5.0)),),
        users=Measured(value=users, sigma=5.0),
        conversations=Measured(value=users * 2, sigma=8.0),
        facets={"language": tuple(Measured(value=value, sigma=30.0) for value in (users, 70.0, -4.0))},
    )


def released(*topics: TopicNode, noise: OpenDPNoise | None = None, auditor: Auditor | None = None) -> Release:
    number = Measured(value=1000.0, sigma=5.0)
    tree = TopicTree(
        users=number, conversations=number, facets={}, phrases=(), topics=topics, leaf_ids=(),
        centroids=np.zeros((0, 4), np.float32),
    )  # fmt: skip
    measurer = Measurer(noise or OpenDPNoise(), rho=10, delta=0)
    guarantee = card(
        unit="user",
        mechanisms=measurer.mechanisms,
        bounds={"topics_per_user": 5},
        conversion_delta=Fraction(1, 10**6),
    )
    door = Door(limits=Thresholds(min_users=50, min_conversations=50), domains={"language": DOMAIN}, auditor=auditor)
    return door.release(tree, header=HEADER, guarantee=guarantee, measurer=measurer)


def test_a_topic_under_the_threshold_is_withheld_with_its_rule_and_its_children_move_up() -> None:
    release = released(
        topic("top", level=2), topic("middle", parent="top", level=1, users=49), topic("leaf", parent="middle")
    )
    assert {one.id: one.parent for one in release.topics} == {"top": None, "leaf": "top"}
    assert [(verdict.subject, verdict.rule, verdict.allowed) for verdict in release.audit] == [
        ("auditor", Auditor().statement, True),
        ("topic middle", "thresholds.min_users", False),
    ]


def test_every_cell_of_a_domain_is_there_and_one_the_noise_could_have_made_has_no_number() -> None:
    (only,) = released(topic("leaf")).topics
    assert [(cell.value, cell.users is not None) for cell in only.facets["language"]] == [
        ("en", True),
        ("de", False),  # 70 users with a standard deviation of 30: over the threshold, under the noise
        ("unknown", False),
    ]


@pytest.mark.parametrize(
    "text", ["write to ann.lee@example.org", "call +1 202 555 0143 now", "see https://example.org/u/ann"]
)
def test_a_string_that_shows_an_individual_is_replaced_and_the_verdict_does_not_quote_it(text: str) -> None:
    release = released(topic("top"), dataclasses.replace(topic("leaf", phrase=text), name=text))
    leaf = release.topics[1]
    assert leaf.name == "unnamed topic"
    assert (leaf.description, leaf.phrases) == ("", ())
    assert {verdict.subject for verdict in release.audit if not verdict.allowed} == {
        "topic leaf name",
        "topic leaf description",
        "topic leaf phrase 0",
    }
    assert text not in repr(release)


def test_noise_of_any_other_class_is_refused_even_a_subclass() -> None:
    class Louder(OpenDPNoise):
        pass

    with pytest.raises(Refused, match="OpenDP"):
        released(noise=Louder())


def test_the_card_says_which_unit_comes_and_goes_and_what_a_shared_id_does_to_a_conversation() -> None:
    user, conversation = (
        card(unit=unit, mechanisms=[], bounds={}, conversion_delta=Fraction(1, 10**6))
        for unit in ("user", "conversation")
    )
    assert "all conversations that are theirs" in user.neighbouring
    assert "all records that bear it" in conversation.neighbouring
    assert [line for line in conversation.does_not_cover if line not in user.does_not_cover] == [
        "a conversation whose id somebody else's records bear too: they count as one, and one takes the other's place"
    ]


def test_a_card_that_hides_a_measurement_is_refused() -> None:
    measurer = Measurer(OpenDPNoise(), rho=10, delta=0)
    guarantee = card(unit="user", mechanisms=[], bounds={}, conversion_delta=Fraction(1, 10**6))
    measurer.mechanisms.append("one more")  # type: ignore[arg-type]
    tree = TopicTree(
        users=Measured(value=1, sigma=1), conversations=Measured(value=1, sigma=1), facets={}, phrases=(), topics=(),
        leaf_ids=(), centroids=np.zeros((0, 4), np.float32),
    )  # fmt: skip
    door = Door(limits=Thresholds(min_users=1, min_conversations=1), domains={})
    with pytest.raises(Refused, match="does not list"):
        door.release(tree, header=HEADER, guarantee=guarantee, measurer=measurer)


@given(value=st.floats(-1e6, 1e6), sigma=st.floats(0.1, 1e4))
def test_an_estimate_is_whole_not_negative_and_within_its_interval(value: float, sigma: float) -> None:
    found = estimate(Measured(value=value, sigma=sigma))
    assert 0 <= found.low <= found.value <= found.high


class OneBatch:
    """A model that passes everything but what holds a word, and counts its calls."""

    def __init__(self, forbidden: str) -> None:
        self.forbidden = forbidden
        self.asked: list[list[str]] = []

    def complete(self, prompts: Sequence[Prompt], *, arrived: object = None) -> Sequence[Reply]:
        self.asked.append([prompt.text for prompt in prompts])
        return [Reply(fields={"rating": 2 if self.forbidden in one.text else 5, "rule": None}) for one in prompts]


def test_every_string_of_a_release_goes_to_the_model_in_one_batch_each_once_and_none_of_a_withheld_topic() -> None:
    model = OneBatch("nothing")
    released(topic("top"), topic("leaf", parent="top"), topic("small", users=3), auditor=Auditor(model=model))
    (batch,) = model.asked
    assert sorted(batch) == sorted(
        f"<text>{text}</text>" for text in ("top", "leaf", "bread", "Requests that speak of bread.")
    )


def test_a_denied_name_becomes_the_first_phrase_that_passes_and_a_denied_description_nothing() -> None:
    denied = dataclasses.replace(
        topic("leaf"),
        name="secret plan",
        description="A secret.",
        phrases=tuple(PhraseUsers(text=text, users=None) for text in ("secret", "flour", "bread")),
    )
    (only,) = (release := released(denied, auditor=Auditor(model=OneBatch("secret")))).topics
    assert (only.name, only.description, [one.text for one in only.phrases]) == ("flour", "", ["flour", "bread"])
    assert [(one.subject, one.rule) for one in release.audit if not one.allowed] == [
        ("topic leaf name", "model.rating"),
        ("topic leaf description", "model.rating"),
        ("topic leaf phrase 0", "model.rating"),
    ]


def test_where_the_policy_drops_a_topic_goes_with_its_name_and_its_children_move_up() -> None:
    auditor = Auditor(model=OneBatch("middle"), on_denial="drop")
    release = released(
        topic("top", level=2), topic("middle", parent="top", level=1), topic("leaf", parent="middle"), auditor=auditor
    )
    assert {one.id: one.parent for one in release.topics} == {"top": None, "leaf": "top"}
    assert [(one.subject, one.rule) for one in release.audit if not one.allowed] == [
        ("topic middle name", "model.rating"),
        ("topic middle", "auditor.on_denial"),
    ]


def test_a_denied_phrase_alone_drops_no_topic() -> None:
    auditor = Auditor(model=OneBatch("secret"), on_denial="drop")
    extra = (PhraseUsers(text="secret", users=None), PhraseUsers(text="flour", users=None))
    (only,) = released(dataclasses.replace(topic("leaf"), phrases=extra), auditor=auditor).topics
    assert [one.text for one in only.phrases] == ["flour"]


def test_a_model_that_fails_leaves_numbers_and_no_string() -> None:
    class Down(OneBatch):
        def complete(self, prompts: Sequence[Prompt], *, arrived: object = None) -> Sequence[Reply]:
            raise TimeoutError

    (only,) = released(topic("leaf"), auditor=Auditor(model=Down(""))).topics
    assert (only.name, only.description, only.phrases) == ("unnamed topic", "", ())
    assert only.users.value == 500
