"""Candidate phrases: what a text proposes, in any script, and what it never does."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.extract.phrases import LONGEST_WORD, READ_CHARACTERS, candidate_phrases, proposes


def test_words_come_first_and_then_pairs_of_neighbours():
    found = candidate_phrases("Could you raise my credit limit, please?", "en")
    assert set(found[:3]) == {"credit", "raise", "limit"}
    assert found[3:] == ("credit limit",)


def test_telling_words_come_before_common_ones_and_before_those_that_hardly_anybody_uses():
    assert candidate_phrases("a good question about my laptop and its zzyzxq", "en")[0] == "laptop"


def test_a_pair_does_not_cross_a_stop_word_or_a_comma():
    found = candidate_phrases("cancel the flight, hotel tonight", "en")
    assert "hotel tonight" in found
    assert not {"cancel flight", "flight hotel"} & set(found)


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Wie kann ich meine Kreditkarte sperren?", "de", {"kreditkarte", "kreditkarte sperren"}),
        ("как испечь торт", "ru", {"испечь", "торт"}),
        ("请帮我查一下信用卡余额", "zh", {"信用", "余额"}),
        ("パスワードの変更", "ja", {"変更"}),
        ("비밀번호 변경", "ko", {"비밀", "번호"}),
        ("हिन्दी में कविता", "hi", {"हिन्दी", "कविता"}),
        ("คืนเงิน", "th", {"เงิ"}),
        ("compile C++ and C# on .NET", "en", {"c++", "c#", ".net"}),
        ("ＦＵＬＬＷＩＤＴＨ Straße", "en", {"fullwidth", "strasse"}),
        ("my sister's AT&T bill", "en", {"sister", "at&t", "bill"}),
    ],
)
def test_words_of_many_scripts_and_spellings_are_found(text, language, wanted):
    assert wanted <= set(candidate_phrases(text, language))


@pytest.mark.parametrize(
    "text",
    [
        "mail jo.do@example.org",
        "ask @somebody",
        "see https://example.org/private/path?q=secret",
        "see www.example.org/private",
        "pin 48213 code ab12cd 4111111111111111",
        "x" * (LONGEST_WORD + 1),
        "the of and is it please hello",
        "",
        "\x00\u200b\ud800",
    ],
)
def test_addresses_links_handles_numbers_and_endless_words_are_never_proposed(text):
    assert set(candidate_phrases(text, "en")) <= {"mail", "ask", "pin", "code", "pin code"}


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Good evening", "en", ()),
        ("Good evening! My tomato plants", "en", ("plants", "tomato", "tomato plants")),
        ("An evening dress", "en", ("dress", "evening", "evening dress")),
        ("Guten Abend, mein Fahrrad", "de", ("fahrrad",)),
        ("早上好", "zh", ()),
        ("مساء الخير", "ar", ()),
        ("शुभ प्रभात", "hi", ()),
    ],
)
def test_a_greeting_of_two_words_proposes_nothing_where_the_text_begins_with_it(text, language, wanted):
    assert candidate_phrases(text, language) == wanted


def test_a_word_that_only_begins_like_a_greeting_stays_whole():
    assert "eveningwear" in candidate_phrases("Good eveningwear for a gala", "en")


def test_only_the_beginning_of_a_long_text_is_read():
    assert "zebra" not in candidate_phrases("the " * READ_CHARACTERS + "zebra", "en")


@given(st.text(max_size=300), st.sampled_from(["en", "de", "zh", "xx", ""]))
def test_any_text_gives_few_distinct_bounded_phrases_and_always_the_same(text, language):
    found = candidate_phrases(text, language)
    assert len(found) <= 12
    assert len(set(found)) == len(found)
    assert all(0 < len(phrase) <= 2 * LONGEST_WORD + 1 for phrase in found)
    assert found == candidate_phrases(text, language)


def test_the_same_phrases_in_another_process():
    """Hash seeds and caches play no part."""
    text = "renew passport quickly before the summer holiday flight"
    code = f"from sfumato.extract.phrases import candidate_phrases; print(candidate_phrases({text!r}, 'en'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == repr(candidate_phrases(text, "en"))


def test_five_thousand_short_texts_take_less_than_a_second():
    texts = [f"how do i change the {word} of my travel card" for word in ("limit", "colour", "owner", "name", "date")]
    candidate_phrases(texts[0], "en")
    start = time.process_time()
    for _ in range(1_000):
        for text in texts:
            candidate_phrases(text, "en")
    assert time.process_time() - start < 1.0


@given(st.text(max_size=60), st.sampled_from(["en", "de", "ja", "unknown"]), st.integers(1, 5))
def test_proposes_says_whether_there_are_so_many_phrases_without_reading_on(text, language, least):
    assert proposes(text, language, least=least) == (len(candidate_phrases(text, language, limit=least)) >= least)
