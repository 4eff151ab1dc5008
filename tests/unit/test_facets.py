"""Facets: every conversation gets one place in a fixed domain, and what is missing or undeclared is `unknown`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.extract.facets import Facet, category, code, computed, domain_of
from sfumato.extract.language import LANGUAGES
from sfumato.model.conversation import Conversation, Message

KINDS = ("language", "turns", "length", "hour")
PLAN = category("plan", ["free", "team"])


def conversation(*, roles=("user",), timestamp=None, attributes=None):
    return Conversation(
        conversation_id=b"c" * 16,
        unit_id=b"u" * 16,
        messages=tuple(Message(role=role, content="words") for role in roles),
        timestamp=timestamp,
        attributes=attributes or {},
    )


def value(facet, held, *, text="words", language="en"):
    return facet.domain[code(facet, held, text=text, language=language)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_domain_ends_in_unknown_and_repeats_nothing(kind):
    domain = domain_of(kind)
    assert domain[-1] == "unknown"
    assert len(set(domain)) == len(domain)
    assert computed(kind) == Facet(name=kind, kind=kind, domain=domain)


def test_domains_are_the_documented_ones():
    """A release names these values: changing one re-labels what is stored."""
    assert domain_of("language") == (*LANGUAGES, "unknown")
    assert domain_of("turns") == ("1", "2", "3-5", "6-10", "11+", "unknown")
    assert domain_of("length") == ("1-49", "50-199", "200-999", "1000-3999", "4000+", "unknown")
    assert domain_of("hour") == (*(f"{hour:02}" for hour in range(24)), "unknown")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "unknown"), (1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6-10"), (10, "6-10"), (11, "11+"), (900, "11+")],
)
def test_turns_count_the_users_messages_alone(count, expected):
    assert value(computed("turns"), conversation(roles=("system", *["user", "assistant"] * count))) == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, "unknown"), (1, "1-49"), (49, "1-49"), (50, "50-199"), (999, "200-999"), (3999, "1000-3999"), (4000, "4000+")],
)
def test_length_is_of_the_first_request(length, expected):
    assert value(computed("length"), conversation(), text="x" * length) == expected


def test_hours_are_utc_and_a_moment_without_zone_is_taken_as_utc():
    hour = computed("hour")
    eastern = timezone(timedelta(hours=-5))
    assert value(hour, conversation(timestamp=datetime(2026, 3, 1, 22, 30, tzinfo=eastern))) == "03"
    assert value(hour, conversation(timestamp=datetime(2026, 3, 1, 0, 0, tzinfo=UTC))) == "00"
    assert value(hour, conversation(timestamp=datetime(2026, 3, 1, 7, 0))) == "07"  # noqa: DTZ001 - what is tested
    assert value(hour, conversation()) == "unknown"


def test_an_undetected_language_is_unknown():
    assert value(computed("language"), conversation(), language="sv") == "sv"
    assert value(computed("language"), conversation(), language="unknown") == "unknown"
    assert value(computed("language"), conversation(), language="tlh") == "unknown"


def test_a_category_takes_declared_values_and_nothing_else():
    assert value(PLAN, conversation(attributes={"plan": "team"})) == "team"
    for attributes in ({}, {"plan": "Team"}, {"plan": "anna@example.org"}, {"plan": "unknown"}, {"other": "team"}):
        assert value(PLAN, conversation(attributes=attributes)) == "unknown"
    tier = category("plan", ["free", "team"], attribute="tier")
    assert value(tier, conversation(attributes={"plan": "free", "tier": "team"})) == "team"


@given(
    roles=st.lists(st.sampled_from(["user", "assistant", "system", "tool", ""]), max_size=15),
    timestamp=st.none() | st.datetimes(timezones=st.none() | st.just(UTC)),
    attributes=st.dictionaries(st.sampled_from(["plan", "tier"]), st.text(max_size=6), max_size=2),
    text=st.text(max_size=60),
    language=st.text(max_size=4),
)
def test_whatever_comes_the_code_lies_in_the_domain(roles, timestamp, attributes, text, language):
    held = conversation(roles=roles, timestamp=timestamp, attributes=attributes)
    for facet in (*map(computed, KINDS), PLAN):
        assert 0 <= code(facet, held, text=text, language=language) < len(facet.domain)


def test_domains_that_are_open_repeated_or_made_up_are_refused():
    with pytest.raises(ValueError, match="the last of them `unknown`"):
        Facet(name="plan", kind="category", domain=("free",), attribute="plan")
    with pytest.raises(ValueError, match="distinct values"):
        category("plan", ["free", "free"])
    with pytest.raises(ValueError, match="read from an attribute"):
        Facet(name="plan", kind="category", domain=("free", "unknown"))
    with pytest.raises(ValueError, match="take it from domain_of"):
        Facet(name="turns", kind="turns", domain=("1", "unknown"))
    with pytest.raises(ValueError, match="nothing computes this"):
        computed("mood")
