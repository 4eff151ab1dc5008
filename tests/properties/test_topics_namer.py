"""Whatever a model answers, only released and plain words are published, and it is asked of released values only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_topics_sensitivity import FACETS, PLANS, WORST, Recording, Replaying, crowd, embed, epoch_of

from sfumato.model.prompt import Reply
from sfumato.privacy.measure import Measurer
from sfumato.topics import discover
from sfumato.topics.lexicon import Lexicon, forms
from sfumato.topics.namer import Namer
from sfumato.topics.naming import Label
from sfumato.topics.plain_words import GRAMMAR, OBJECTS, REQUESTS
from sfumato.topics.titles import Evidence

RELEASED = ("credit card", "limit", "flight", "überweisung", "余额", "c++", "naïve", "covid-19")
WORDS = Lexicon.of(RELEASED, ["de", "zh"])
LABELS = [
    Label(name=f"{RELEASED[i % 8]} · {i}", description="Requests that speak of limit.", phrases=(i % 8,))
    for i in range(9)
]

WORD = st.sampled_from([
    "card", "cards", "Limits", "plan", "the", "Compare", "alice", "HIV", "london", "c++", "covid-19", "余额", "余",
    "http://x.io", "a@b.c", "<b>", "**x**", "\n", "\u202e", "\x00", ".", "!", "2024", "5551234567", "für", "die", "的",
    "flights", "überweisung", "ｃａｒｄ", "ﬂight", "card's", "-", "…", "\ud800",
])  # fmt: skip
TEXT = st.one_of(st.lists(WORD, max_size=14).map(" ".join), st.lists(WORD, max_size=6).map("".join), st.text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=6,
)
FAILURES = st.sampled_from([None, None, None, None, "refused", "truncated", "malformed", "rejected", "unavailable"])
REPLIES = st.builds(
    lambda fields, failure: Reply(fields=fields, failure=failure),
    st.none()
    | st.fixed_dictionaries(
        {}, optional={"name": TEXT | JSON, "description": TEXT | JSON, "names": st.lists(TEXT) | JSON, "parent": JSON}
    ),
    FAILURES,
)


class Saying:
    """Gives the drawn replies in turn, over and over."""

    def __init__(self, replies):
        self.replies, self.next = replies, 0

    def complete(self, prompts, *, arrived=None):
        self.next += len(prompts)
        return [self.replies[(self.next + i) % len(self.replies)] for i in range(len(prompts))]


def public_words():
    """Written down again here, from the lists alone: what `Lexicon` may let through beside the released words."""
    nouns = {word + end for word in OBJECTS for end in ("s", "es")} | {w[:-1] + "ies" for w in OBJECTS if w[-1] == "y"}
    verbs = {form for word in REQUESTS for form in forms(word)}
    return GRAMMAR | REQUESTS | OBJECTS | nouns | verbs


PUBLIC = public_words()
MINE = {"credit", "card", "cards", "credits", "limit", "limits", "flight", "flights", "überweisung", "c++", "naïve",
        "covid-19", "covid", "余额", "für", "die", "的", "余额的", "的余额", "余额余额"}  # fmt: skip


def says_only_public_words(text):
    words = [word.strip(",.;:?!()\"'-–").casefold().removesuffix("'s") for word in text.split(" ")]
    known = MINE | PUBLIC
    return all(
        not word or word in known or all(part in known for part in word.split("-")) or set(word) <= set("余额的")
        for word in words
    )


@settings(max_examples=300, deadline=None)
@given(replies=st.lists(REPLIES, min_size=1, max_size=5))
@example(replies=[Reply(fields={"name": "Compare credit cards", "description": "Plan. Plan."})])
@example(replies=[Reply(fields={"name": "Help alice with hiv", "description": "alice has hiv."})])
def test_every_published_word_is_released_or_plain_or_the_label_is_the_phrases(replies):
    namer = Namer(model=Saying(replies), embed=embed, lexicon=WORDS)
    found = namer.titled(LABELS, [Evidence(users=float(i)) for i in range(len(LABELS))])
    assert len({label.name.casefold() for label in found}) == len(LABELS)
    for label, plain in zip(found, LABELS, strict=True):
        assert label.phrases == plain.phrases
        assert label.name == plain.name or says_only_public_words(label.name)
        assert label.description == plain.description or says_only_public_words(label.description)
        assert all(character.isprintable() and character not in "<>@/*`[]{}|\\_~$^=" for character in label.name)
        assert label.name == plain.name or len(label.name.split()) <= 10
        assert len(label.description.split()) <= 60


@settings(max_examples=60, deadline=None)
@given(replies=st.lists(REPLIES, min_size=1, max_size=5))
def test_any_replies_make_groups_that_nest_and_hold_every_leaf_once(replies):
    count = 40
    namer = Namer(model=Saying(replies), embed=embed, lexicon=WORDS)
    labels = [Label(name=f"limit · {i}", description="d", phrases=()) for i in range(count)]
    groups = namer.groupings(labels, embed([label.name for label in labels]))
    assert [group.shape for group in groups] == [(count,)] * 2
    below = np.arange(count)
    for group in groups:
        assert sorted(set(group.tolist())) == list(range(int(group.max()) + 1))
        assert all(len(set(group[below == one].tolist())) == 1 for one in set(below.tolist()))
        assert len(set(group.tolist())) < len(set(below.tolist()))
        below = group


class Listening:
    """Answers from the question alone, and keeps every question as a reader would see it."""

    def __init__(self):
        self.heard = []

    def complete(self, prompts, *, arrived=None):
        self.heard.append([(prompt.system, prompt.text, dict(prompt.schema)) for prompt in prompts])
        return [Reply(fields={"name": f"Compare {len(p.text) % 7}", "names": ["card", "limit"]}) for p in prompts]


def asked(epoch, plan, noise):
    noise.names = epoch.phrases
    namer = Listening()
    measurer = Measurer(noise, rho=plan.rho, delta=plan.delta)
    discover.discover(epoch, plan=plan, measurer=measurer, embed=embed, facet_domains=FACETS, namer=namer)
    return namer.heard, noise


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_what_the_model_is_asked_depends_on_released_values_only(plan):
    """With a user more, but the noise answering as before, every question is the same to the letter."""
    users = crowd(0, 90)
    heard, first = asked(epoch_of(users), plan, Recording())
    again, _ = asked(epoch_of(users, place=10, extra=WORST), plan, Replaying(first))
    assert {step for batch in heard for _, _, schema in batch for step in schema["properties"]} >= {"name"}
    assert any("sorted_elsewhere" in text for batch in heard for _, text, _ in batch)
    assert heard == again


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 99), place=st.integers(0, 60))
def test_the_same_holds_for_any_crowd_and_place(seed, place):
    users = crowd(seed, 60)
    heard, first = asked(epoch_of(users), PLANS[0], Recording())
    assert heard == asked(epoch_of(users, place=place, extra=WORST), PLANS[0], Replaying(first))[0]


def test_a_question_that_depends_on_private_counts_is_caught(monkeypatch):
    """The check above can fail: counts that leave out the noise source reach the questions and differ."""
    from sfumato.topics import counts

    def exact(keys, size, measurer, *, name, rho, l0):
        noisy = measurer.counts(name, np.bincount(keys.key, minlength=size), rho=rho, l0=l0, statistic="distinct units")
        return type(noisy)(values=np.bincount(keys.key, minlength=size), sigma=noisy.sigma)

    monkeypatch.setattr(counts, "users", exact)
    users = crowd(0, 60)
    heard, first = asked(epoch_of(users), PLANS[0], Recording())
    assert heard != asked(epoch_of(users, place=10, extra=WORST), PLANS[0], Replaying(first))[0]
