"""A model that remembers: nothing that was answered is asked again, and no conversation gets another one's answer."""

from __future__ import annotations

import hashlib

import pytest
import rfc8785

from sfumato.asking import OnceGone, Remembering, probe
from sfumato.errors import ModelUnavailable, Refused
from sfumato.model.prompt import Prompt, Reply, Usage
from sfumato.vault.journal import Journal
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys


class Scripted:
    """Answers in reverse order of asking, each reply different; `breaks_at` raises after so many replies."""

    def __init__(self, *, breaks_at=None, error=ModelUnavailable, failure=None):
        self.asked = []
        self.replies = 0
        self.breaks_at = breaks_at
        self.error = error
        self.failure = failure

    def complete(self, prompts, *, arrived=None):
        self.asked.append([prompt.text for prompt in prompts])
        found = {}
        for place in reversed(range(len(prompts))):
            if self.replies == self.breaks_at:
                raise self.error("it is gone")
            self.replies += 1
            fields = {"text": prompts[place].text, "nth": self.replies}
            found[place] = Reply(fields=None if self.failure else fields, failure=self.failure, usage=Usage(output=7))
            if arrived is not None:
                arrived(place, found[place])
        return [found[place] for place in range(len(prompts))]


def prompt(text):
    return Prompt(system="s", text=text, schema={"type": "object"}, max_tokens=9)


@pytest.fixture
def journal(tmp_path):
    key = EpochKeys(tmp_path / "keys", RootKey(b"t" * 32)).create("d", "2026-11", "derived")
    return lambda: Journal(tmp_path / "derived", "a" * 32, key)


def asked(model, journal, *texts, heard=None):
    with journal() as opened:
        return Remembering(model, opened, heard=heard or (lambda _: None)).ask([prompt(text) for text in texts])


def test_what_one_process_was_answered_the_next_does_not_ask(journal):
    first = asked(Scripted(), journal, "a", "b", "c")
    second = Scripted()
    again = asked(second, journal, "a", "b", "c", "d")
    assert second.asked == [["d"]]
    assert [(one.fields, one.usage) for one in again[:3]] == [(one.fields, one.usage) for one in first]


def test_answers_before_a_failure_are_kept_and_the_rest_is_asked(journal):
    with pytest.raises(ModelUnavailable):
        asked(Scripted(breaks_at=2), journal, "a", "b", "c")
    second = Scripted()
    replies = asked(second, journal, "a", "b", "c")
    assert second.asked == [["a"]]
    assert [reply.fields["text"] for reply in replies] == ["a", "b", "c"]


def test_two_conversations_that_say_the_same_are_asked_about_twice_and_keep_their_own_answers(journal):
    replies = asked(Scripted(), journal, "same", "same")
    assert replies[0].fields != replies[1].fields
    again = Scripted()
    kept = asked(again, journal, "same", "same", "same")
    assert again.asked == [["same"]]
    assert [one.fields for one in kept[:2]] == [one.fields for one in replies]


@pytest.mark.parametrize(("failure", "asks_again"), [("unavailable", True), ("refused", False), ("malformed", False)])
def test_only_what_was_never_answered_is_asked_again(journal, failure, asks_again):
    (reply,) = asked(Scripted(failure=failure), journal, "a")
    assert reply.failure == failure
    second = Scripted()
    asked(second, journal, "a")
    assert bool(second.asked) is asks_again


def test_each_new_answer_is_heard_of_and_a_remembered_one_is_not(journal):
    heard = []
    asked(Scripted(), journal, "a", "b", heard=heard.append)
    asked(Scripted(), journal, "a", "b", "c", heard=heard.append)
    assert len(heard) == 3


def test_another_instruction_or_schema_about_the_same_text_is_another_question(journal):
    model = Scripted()
    with journal() as opened:
        remembering = Remembering(model, opened, heard=lambda _: None)
        for system, schema in (("s", {"type": "object"}), ("t", {"type": "object"}), ("s", {"type": "array"})):
            remembering.ask([Prompt(system=system, text="a", schema=schema, max_tokens=9)])
    assert len(model.asked) == 3


def test_a_model_that_is_gone_is_not_waited_for_again():
    model = Scripted(breaks_at=1)
    once = OnceGone(model)
    assert once.complete([prompt("a")])[0].fields["text"] == "a"
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="it is gone"):
            once.complete([prompt("b")])
    assert model.asked == [["a"], ["b"]]


def test_a_cap_that_refused_one_question_may_let_a_cheaper_one_through():
    model = Scripted(breaks_at=0, error=Refused)
    once = OnceGone(model)
    for _ in range(2):
        with pytest.raises(Refused):
            once.complete([prompt("a")])
    assert len(model.asked) == 2


def test_a_probe_passes_on_any_answer_and_fails_on_none():
    probe(Scripted())
    probe(Scripted(failure="refused"))
    with pytest.raises(ModelUnavailable, match="does not answer"):
        probe(Scripted(failure="unavailable"))


def test_a_question_is_known_by_the_hash_of_its_canonical_form_as_ever(journal):
    """Journals of runs that were stopped under an earlier version must open under this one."""
    content = rfc8785.dumps(["s", 'x\u2028\x01"', {"type": "object"}, 9])
    key = hashlib.sha256(hashlib.sha256(content).digest() + (1).to_bytes(8, "big")).digest()
    asked(Scripted(), journal, 'x\u2028\x01"')
    with journal() as opened:
        assert opened.get(key) is not None
