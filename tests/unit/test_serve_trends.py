"""Following a topic: by id where ids are a taxonomy's own, by name where discovery numbers topics by size."""

from __future__ import annotations

import dataclasses

from releases import sample, topic
from sfumato.serve.trends import trend


def release(epoch: str, *names: str, ids: str = "leaf-{:03}"):
    """A release of one epoch whose topics have these names, numbered in this order."""
    topics = (
        dataclasses.replace(topic(1, None, 0, name, 900 - 100 * at), id=ids.format(at + 1))
        for at, name in enumerate(names)
    )
    return sample(epoch=epoch, created=f"{epoch}-28T00:00:00Z", topics=tuple(topics))


def followed(*releases, topic_id: str):
    """(matching, [(epoch, id, matched)]) of a topic; releases oldest first."""
    found = trend(releases[::-1], topic_id)
    return found and (found.matching, [(one.release.epoch, one.topic.id, one.matched) for one in found.points])


def test_a_rank_is_not_taken_for_an_identity():
    """The largest topic of two epochs has the same number in both, and is another topic."""
    one, other = release("2025-01", "Plan a trip", "Write SQL"), release("2025-02", "Write SQL", "Plan a trip")
    assert followed(one, other, topic_id="leaf-001") == (
        "name", [("2025-01", "leaf-002", "name"), ("2025-02", "leaf-001", "id")],
    )  # fmt: skip


def test_a_declared_topic_is_followed_through_a_change_of_its_name():
    one = release("2025-01", "Travel", ids="onet-{}")
    other = release("2025-02", "Travel planning", ids="onet-{}")
    assert followed(one, other, topic_id="onet-1") == ("id", [("2025-01", "onet-1", "id"), ("2025-02", "onet-1", "id")])


def test_names_are_compared_without_case_and_accents():
    one, other = release("2025-01", "ÉCRIRE du code"), release("2025-02", "Something", "Ecrire du Code")
    assert [point[1] for point in followed(one, other, topic_id="leaf-002")[1]] == ["leaf-001", "leaf-002"]


def test_a_name_that_two_topics_share_is_neither():
    one, other = release("2025-01", "Write", "write"), release("2025-02", "Write", "Else")
    assert [point[0] for point in followed(one, other, topic_id="leaf-001")[1]] == ["2025-02"]


def test_a_topic_of_another_level_is_another_topic():
    one, other = release("2025-01", "Write"), release("2025-02", "Write")
    one = dataclasses.replace(one, topics=tuple(dataclasses.replace(each, level=1) for each in one.topics))
    assert [point[0] for point in followed(one, other, topic_id="leaf-001")[1]] == ["2025-02"]


def test_from_discovered_to_declared_only_the_name_is_left():
    one, other = release("2025-01", "Else", "Travel"), release("2025-02", "Travel", ids="own-{}")
    assert followed(one, other, topic_id="own-1") == (
        "id and name", [("2025-01", "leaf-002", "name"), ("2025-02", "own-1", "id")],
    )  # fmt: skip


def test_a_topic_that_no_release_has_is_none():
    assert followed(release("2025-01", "Travel"), topic_id="leaf-007") is None
    assert trend((), "leaf-001") is None
