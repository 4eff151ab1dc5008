"""Candidate phrases of one text: the words and word pairs it proposes for the vocabulary, from that text alone."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from sfumato.extract.fillers import FILLERS, GREETING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READ_CHARACTERS = 2_000
LONGEST_WORD = 30
TELLING = 4.3  # on the Zipf scale: `laptop`, `recipe`, `server`
RARE = 2.5  # of a word that public text hardly has
LABEL_READ, LABEL_WORDS, LABEL_CHARACTERS = 200, 4, 40
ARTICLES = frozenset({"a", "an", "the"})

# The English list of `stopwordsiso` was made for web search and holds some hundreds of words that name topics (bill,
# computer, order, system), so English has its own: words of grammar, and nothing else.
ENGLISH = frozenset(
    (  # noqa: SIM905 - a word list reads better as running text
        "a about above after again against all almost along already also although always am among an and another "
        "any anybody anyone anything anyway anywhere are aren around as at away be became because become been "
        "before behind being below beside besides between beyond both but by came can cannot cant come could "
        "couldn did didn didnt do does doesn doesnt doing don done dont down during each either else enough etc "
        "even ever every everyone everything everywhere except few for from gave get gets getting given gives "
        "giving go goes gone got gotten had hadn has hasn have haven having he her here hers herself him himself "
        "his how however i if im in inside into is isn isnt it its itself ive just keep kept least less let like "
        "made many may me might mine more most much must my myself near neither never no nobody none nor not "
        "nothing now nowhere of off often oh ok okay on once one ones only onto or other others otherwise ought "
        "our ours ourselves out outside over own per perhaps put quite rather said same say says see seem seems "
        "seen several shall she should shouldn since so some somehow someone something sometimes somewhere soon "
        "still such take taken takes taking than that thats the their theirs them themselves then there therefore "
        "these they this those though through thus to together too took toward towards tried try under unless "
        "until up upon us used uses very via was wasn wasnt way we well went were weren what whatever whats when "
        "whenever where wherever whether which whichever while who whoever whole whom whos whose why will with "
        "within without won wont would wouldn yes yet you youd youll your youre yours yourself yourselves youve"
    ).split()
)
SHORT_WORDS = frozenset({"ai", "c#", "f#", "id", "pc", "qa", "tv", "uk", "ui", "ux", "vr"})

PARTICLES = frozenset("的了吗呢吧啊我你您他她它们是在和与这那")
_SUFFIXES = frozenset({"d", "ll", "m", "re", "s", "t", "ve"})
_DENSE = (  # scripts written without spaces (Thai, Lao, Khmer, Burmese, Kana, Han), and Hangul for its particles
    "\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\u3040-\u309f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u1100-\u11ff\uac00-\ud7af"
)
_TAG = re.compile(r"<[^<>]*>")
_LAST_MARK = 0x11FFF  # combining marks of living scripts end here


@cache
def _pattern() -> re.Pattern[str]:
    """Groups: 1 what is skipped and breaks a run, 2 a run of a script written without spaces, 3 a word, 4 a break."""
    marks = "".join(re.escape(chr(c)) for c in range(0x300, _LAST_MARK) if unicodedata.category(chr(c))[0] == "M")
    letter = rf"(?:[^\W_{_DENSE}]|[{marks}])"
    return re.compile(
        r"(\b(?:https?|ftp)://\S+|\bwww\.\S+|\S*@\S+|<[^<>\s]*>)"
        rf"|([{_DENSE}]+)"
        rf"|((?<!\w)\.net\b|{letter}+(?:['&]{letter}+)*(?:\+\+|\#(?!\w))?)"
        r"|([^\w\s\-])"
    )


_ASCII = re.compile(
    r"(\b(?:https?|ftp)://\S+|\bwww\.\S+|\S*@\S+|<[^<>\s]*>)|([^\x00-\x7f])|((?<!\w)\.net\b|[a-z0-9]+(?:['&][a-z0-9]+)*(?:\+\+|\#(?!\w))?)|([^\w\s\-])"
)


@cache
def _stop_words(language: str) -> frozenset[str]:
    """English and the text's own language; a language without a list gets English alone."""
    from stopwordsiso import stopwords

    own = stopwords(language) if language not in {"", "en"} else ()
    asking = FILLERS["en"] | FILLERS.get(language, frozenset())
    return ENGLISH | frozenset(unicodedata.normalize("NFKC", word) for word in (*asking, *own))


def candidate_phrases(text: str, language: str, *, limit: int = 12) -> tuple[str, ...]:
    """At most `limit` distinct phrases of one text, best first: words, then pairs of neighbouring words.

    language: ISO 639-1 code; any other value means English stop words only. Only the first 2,000 characters are read.
    Left out: e-mail addresses, links, handles, words over 30 characters, numbers and words with a digit.
    """
    words: dict[str, None] = {}
    pairs: dict[str, None] = {}
    for found, pair in _said(text, language):
        words.update(dict.fromkeys(found))
        if pair:
            pairs[pair] = None
    return tuple(_ranked(words, pairs, language, limit))


def proposes(text: str, language: str, *, least: int) -> bool:
    """Whether a text has at least so many candidate phrases; reads no further than that takes."""
    phrases: set[str] = set()
    for found, pair in _said(text, language):
        phrases.update(found)
        if pair:
            phrases.add(pair)
        if len(phrases) >= least:
            return True
    return False


def _said(text: str, language: str) -> Iterator[tuple[Sequence[str], str]]:
    """Words as they come, each with the pair that it closes, if it does."""
    read = text[:READ_CHARACTERS]
    plain = read.isascii()
    folded = read.lower() if plain else unicodedata.normalize("NFKC", read).casefold().replace("\u2019", "'")
    stop = _stop_words(language)
    previous = ""
    greeting = GREETING.match(folded)
    for match in (_ASCII if plain else _pattern()).finditer(folded, greeting.end() if greeting else 0):
        skipped, dense, word, _ = match.groups()
        if skipped or not (dense or word):
            previous = ""
        elif dense:
            yield _dense_pairs(dense, stop), ""
            previous = ""
        else:
            kept = _kept(word, stop)
            if kept:
                yield (kept,), f"{previous} {kept}" if previous and previous != kept else ""
            previous = kept


def label(text: str) -> str:
    """A label that a model wrote, in the form of a candidate phrase, so that both are counted as one; or nothing.

    Case folded, a single space between words. Left out: markup, addresses, links, handles, punctuation, words with a
    digit, articles, and what candidate phrases leave out too; at both ends also words of grammar and of asking.
    Nothing is left of a label with more than 4 words or 40 characters, without a letter, or in a script without spaces.
    """
    folded = unicodedata.normalize("NFKC", text[:LABEL_READ]).casefold().replace("\u2019", "'")
    stop = _stop_words("en")
    words: list[str] = []
    for _, dense, word, _ in _pattern().findall(_TAG.sub(" ", folded)):
        if dense:
            return ""
        kept = _kept(word, stop) if word else ""
        if kept and any(map(str.isalpha, kept)):
            words.append(kept)
        elif word in stop and word not in ARTICLES:
            words.append(word)
    told = [place for place, word in enumerate(words) if word not in stop]
    words = words[told[0] : told[-1] + 1] if told else []
    found = " ".join(words)
    return found if len(words) <= LABEL_WORDS and len(found) <= LABEL_CHARACTERS else ""


def _ranked(words: dict[str, None], pairs: dict[str, None], language: str, limit: int) -> list[str]:
    """Words before pairs; first the words that are neither too common to tell nor too rare to be shared."""
    own, english = _zipf(language), _zipf("en")

    def distance(word: str) -> float:
        return abs(max(own.get(word, RARE), english.get(word, RARE)) - TELLING)

    return [*sorted(words, key=distance), *pairs][:limit]


@cache
def _zipf(language: str) -> dict[str, float]:
    """How common words are in public text, on the Zipf scale (van Heuven et al. 2014); empty without figures.

    3 is once in a million words, 6 once in a thousand.
    """
    import wordfreq

    if language not in wordfreq.available_languages("small"):
        return {}
    return {word: math.log10(share) + 9 for word, share in wordfreq.get_frequency_dict(language, "small").items()}


def _kept(word: str, stop: frozenset[str]) -> str:
    """The word as a phrase, or nothing: a stop word, a number, a code, a contraction."""
    if word in stop:
        return ""
    if "'" in word:
        head, _, tail = word.partition("'")
        word = head if tail in _SUFFIXES else tail.rpartition("'")[2]
        if word in stop:
            return ""
    size = len(word)
    if size > LONGEST_WORD or (size <= 2 and word not in SHORT_WORDS and word.isascii()) or size < 2:  # noqa: PLR2004
        return ""
    if not word.isalpha() and any(character.isdigit() for character in word):
        return ""
    return sys.intern(word)


def _dense_pairs(run: str, stop: frozenset[str]) -> list[str]:
    """Neighbouring characters of a script without spaces, a character with its combining marks counting as one."""
    units: list[str] = []
    for character in run:
        if units and unicodedata.category(character)[0] == "M":
            units[-1] += character
        else:
            units.append(character)
    pairs = [a + b for a, b in pairwise(units) if not (a in stop and b in stop) and not {a, b} & PARTICLES]
    return [pair for pair in pairs if pair not in stop and not all("\u3040" <= c <= "\u309f" for c in pair)]
