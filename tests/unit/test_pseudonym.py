"""Pseudonyms: stable, separated by purpose and dataset, one person never two, and the key never shown."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.ingest.pseudonym import Pseudonyms, canonical

KEY = bytes(range(32))


def test_a_user_pseudonym_is_the_stated_hmac():
    """Golden: the construction can't change unseen, since a year of epochs must name a user alike."""
    message = b"sfumato pseudonym 1\0user\0" + (6).to_bytes(4, "big") + b"alphas" + b"ada"
    expected = hmac.new(KEY, message, hashlib.sha256).digest()[:16]
    assert Pseudonyms(KEY, dataset="alphas").user("ada") == expected


def test_dataset_purpose_and_key_each_give_unrelated_pseudonyms():
    here = Pseudonyms(KEY, dataset="a")
    seen = {
        here.user("x"),
        here.conversation("x"),
        here.line(b"x"),
        Pseudonyms(KEY, dataset="b").user("x"),
        Pseudonyms(bytes(32), dataset="a").user("x"),
    }
    assert len(seen) == 5
    assert {len(one) for one in seen} == {16}


def test_two_users_conversations_of_one_id_do_not_meet():
    names = Pseudonyms(KEY, dataset="a")
    assert names.conversation("1", within=names.user("x")) != names.conversation("1", within=names.user("y"))


def test_scope_and_id_do_not_run_into_each_other():
    names = Pseudonyms(KEY, dataset="a")
    assert names.conversation("bc", within=b"a") != names.conversation("c", within=b"ab")
    assert Pseudonyms(KEY, dataset="ab").user("c") != Pseudonyms(KEY, dataset="a").user("bc")


@pytest.mark.parametrize(
    "pair", [("e\u0301", "\u00e9"), (" ada ", "ada"), (7, "7"), (7.0, 7), ("\uac00", "\u1100\u1161")]
)
def test_spellings_of_one_person_are_one_id(pair):
    assert canonical(pair[0]) == canonical(pair[1])


@pytest.mark.parametrize("raw", [None, "", "  ", True, False, 7.5, float("inf"), float("nan"), [], {}, b"x"])
def test_what_is_no_id_is_none(raw):
    assert canonical(raw) is None


def test_letter_case_is_kept():
    assert canonical("Ada") != canonical("ada")


@given(st.text(), st.text())
def test_different_canonical_ids_have_different_pseudonyms(one, other):
    names = Pseudonyms(KEY, dataset="a")
    left, right = canonical(one), canonical(other)
    if left is not None and right is not None:
        assert (names.user(left) == names.user(right)) == (left == right)


@given(st.text(alphabet=st.characters(codec=None), min_size=1))
def test_any_text_even_half_surrogates_has_a_pseudonym(raw):
    text = canonical(raw)
    assert text is None or len(Pseudonyms(KEY, dataset="a").user(text)) == 16


def test_the_key_is_not_printed_copied_or_pickled():
    names = Pseudonyms(KEY, dataset="a")
    assert "private" in repr(names)
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy, "{}".format):
        with pytest.raises(TypeError):
            refuse(names)


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short", dataset="a")
