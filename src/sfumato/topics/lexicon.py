"""Which words a name written by a model may hold: released ones and plain public ones, and no other text at all.

Whatever the model was made to want, a published name says no person, place or illness that no released phrase says.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

from sfumato.topics.plain_words import GRAMMAR, OBJECTS, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME_WORDS, NAME_CHARACTERS = 10, 80
DESCRIPTION_WORDS, DESCRIPTION_SENTENCES, DESCRIPTION_CHARACTERS = 60, 2, 480
MOST_DIGITS = 4  # of a whole string: a year or a model's number, never a telephone's
GRAMMAR_ZIPF = 5.0  # once in 10,000 words: a stop word of another language less common than that is no grammar
SHORTEST_BASE = 3
MOST_LETTERS = 2  # words of one letter in a row: more of them spell something
# Words of one letter. Lists of stop words hold nearly all letters, and of those any name could be spelled.
ONE_LETTER = {
    "ar": "بو", "bg": "авис", "ca": "aeio", "cs": "aikosuvz", "da": "i", "el": "ηο", "es": "aeouy", "fa": "و",
    "fr": "aày", "hu": "aeső", "it": "aeioè", "lt": "o", "nl": "u", "pl": "aiouwz", "pt": "aeoàé", "ro": "aeo",
    "ru": "авикосуя", "sk": "aikosuvz", "sl": "akosvz", "sv": "i", "tr": "o", "uk": "айзівоу", "ur": "و",
}  # fmt: skip
NO_FORMS = frozenset({"aids", "hers", "his"})  # what a rule of spelling would make of another word

_WIDE = "、。，；：？！"  # noqa: RUF001
_ENDS = ".?!。？！"  # noqa: RUF001 - full-width ones end sentences too
_AROUND = ",.;:?!()\"'’" + _WIDE  # noqa: RUF001
_WITHIN = "-'’.+#&–"  # noqa: RUF001 - what a word may hold beside letters, marks and digits
_JOINERS = "\u200c\u200d"  # Persian and Hindi spell with them
_DENSE = (  # scripts that put no space between words: Thai to Lao, Burmese, Khmer, kana, Han
    ("\u0e00", "\u0eff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff"), ("\u3040", "\u30ff"), ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The words of one release. released: words of released phrases; both with their regular forms, case folded."""

    released: frozenset[str]
    plain: frozenset[str]

    @classmethod
    def of(cls, phrases: Iterable[str], languages: Sequence[str] = ()) -> Self:
        """Words of these released phrases, plain English ones, words of grammar of the languages (ISO 639-1)."""
        words = {part for phrase in phrases for part in _tokens(_folded(phrase))}
        plain = _plain().union(*(_grammar(language) for language in languages if language != "en"))
        return cls(released=frozenset(words | {form for word in words for form in forms(word)}), plain=plain)

    def name(self, text: object) -> str | None:
        """The text as it may be published as a name, or None: at most ten words, one line, no full stop."""
        found = tidy(text, words=NAME_WORDS, characters=NAME_CHARACTERS)
        if found is None or found.endswith(tuple(_ENDS)) or _sentences(found) > 1 or not self._says(found):
            return None
        return found

    def description(self, text: object) -> str | None:
        """The text as it may be published as a description, or None: at most two sentences."""
        found = tidy(text, words=DESCRIPTION_WORDS, characters=DESCRIPTION_CHARACTERS)
        if found is None or _sentences(found) > DESCRIPTION_SENTENCES or not self._says(found):
            return None
        return found

    def admits(self, word: str) -> bool:
        """Whether one word, without spaces, may be published."""
        folded = _folded(word)
        for whole in (folded, folded.strip(_AROUND)):
            if self._knows(whole) or self._knows(whole.removesuffix("'s").removesuffix("’s")):  # noqa: RUF001
                return True
        parts = folded.strip(_AROUND).replace("–", "-").split("-")  # noqa: RUF001
        return len(parts) > 1 and all(self._knows(part) for part in parts)

    def _says(self, text: str) -> bool:
        """Every word is admitted, at least one says something, and none is spelled out letter by letter."""
        words = [word for word in _words(text) if word.strip(_AROUND + "-–&")]  # noqa: RUF001
        return bool(words) and all(self.admits(word) for word in words) and not self._spelled_out(words)

    def _spelled_out(self, words: Sequence[str]) -> bool:
        """Whether more than two letters stand alone one after the other, as words or as parts of hyphened ones."""
        row = 0
        for part in (part for word in words for part in re.split("[-–]", word)):  # noqa: RUF001
            letter = _folded(part).strip(_AROUND)
            alone = len(letter) == 1 and letter.isalpha() and not _is_dense(letter) and letter not in self.released
            row = row + 1 if alone else 0
            if row > MOST_LETTERS:
                return True
        return False

    def _knows(self, word: str) -> bool:
        return word in self.released or word in self.plain or (_is_dense(word) and self._spells(word))

    def _spells(self, run: str) -> bool:
        """Whether a run of a script without spaces can be cut into known words."""
        reached = {0}
        for end in range(1, len(run) + 1):
            pieces = (run[start:end] for start in reached)
            if any(piece in self.released or piece in self.plain for piece in pieces):
                reached.add(end)
        return len(run) in reached


def name_of(text: object, lexicon: Lexicon | None) -> str | None:
    """The text as it may be published as a name; without a lexicon (guarded mode) its form alone decides."""
    return lexicon.name(text) if lexicon is not None else tidy(text, words=NAME_WORDS, characters=NAME_CHARACTERS)


def description_of(text: object, lexicon: Lexicon | None) -> str | None:
    """The text as it may be published as a description; without a lexicon (guarded mode) its form alone decides."""
    if lexicon is not None:
        return lexicon.description(text)
    return tidy(text, words=DESCRIPTION_WORDS, characters=DESCRIPTION_CHARACTERS)


def tidy(text: object, *, words: int, characters: int) -> str | None:
    """The text with single spaces, or None: no string, empty, too long, or a character that prose has no need of.

    So there is no markup, link, address, line break, control character or number of more than four digits.
    """
    if not isinstance(text, str) or len(text) > 2 * characters:
        return None
    found = " ".join(part for part in unicodedata.normalize("NFC", text).strip().split(" ") if part)
    if not found or len(found) > characters or len(found.split()) > words or sum(map(str.isdigit, found)) > MOST_DIGITS:
        return None
    return found if all(_is_prose(character) for character in found) else None


@cache
def forms(word: str) -> frozenset[str]:
    """Regular forms of an English word and the words it may be a form of: card, cards; install, installing.

    Plural, third person, past and -ing only: `-er` would make surnames of trades, other endings other words.
    """
    if not (word.isascii() and word.isalpha()) or len(word) < SHORTEST_BASE:
        return frozenset()
    bases = {word, *_bases(word)}
    return frozenset({form for base in bases for form in _inflected(base)} | bases) - NO_FORMS - {word}


def _inflected(base: str) -> set[str]:
    """What spelling rules make of a base."""
    if base.endswith(("s", "x", "z", "ch", "sh")):
        return {base + "es", base + "ed", base + "ing"}
    if base.endswith("e"):
        return {base + "s", base + "d", base[:-1] + "ing"}
    if base.endswith("y") and base[-2] not in "aeiou":
        return {base[:-1] + "ies", base[:-1] + "ied", base + "ing"}
    made = {base + "s", base + "ed", base + "ing"}
    if base[-1] not in "aeiouwy" and base[-2] in "aeiou" and base[-3:-2] not in "aeiou":
        made |= {base + base[-1] + "ed", base + base[-1] + "ing"}
    return made


def _bases(word: str) -> set[str]:
    """Bases that spelling rules lead from to the word."""
    guesses = {word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("d"), word.removesuffix("ed")}
    if word.endswith("ing"):
        stem = word.removesuffix("ing")
        guesses |= {stem, stem + "e"}
    if word.endswith(("ies", "ied")):
        guesses.add(word[:-3] + "y")
    guesses |= {guess[:-1] for guess in guesses if guess[-1:] == guess[-2:-1] and guess != word}
    return {guess for guess in guesses if len(guess) >= SHORTEST_BASE and word in _inflected(guess)}


@cache
def _plain() -> frozenset[str]:
    """Requests in every form, objects in the plural too; grammar as it stands."""
    plurals = {form for word in OBJECTS for form in _inflected(word) if form.endswith("s")}
    return GRAMMAR | REQUESTS | {form for word in REQUESTS for form in forms(word)} | OBJECTS | (plurals - NO_FORMS)


@cache
def _grammar(language: str) -> frozenset[str]:
    """Words of grammar of another language, in so far as public text uses them all the time; none where unlisted."""
    import wordfreq
    from stopwordsiso import stopwords

    if language not in wordfreq.available_languages("small"):
        return frozenset()
    share = wordfreq.get_frequency_dict(language, "small")
    common = (word for word in map(_folded, stopwords(language)) if share.get(word, 0) >= 10 ** (GRAMMAR_ZIPF - 9))
    letters = ONE_LETTER.get(language, "")
    return frozenset(word for word in common if len(word) > 1 or _is_dense(word) or word in letters)


def _tokens(phrase: str) -> list[str]:
    """Words of a released phrase, and the parts of a hyphened one."""
    words = phrase.split()
    return [*words, *(part for word in words if "-" in word for part in word.split("-") if part)]


def _words(text: str) -> list[str]:
    """Words and dense runs; full-width punctuation has no space after it."""
    return re.sub(f"([{_WIDE}])", r"\1 ", text).split()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _sentences(text: str) -> int:
    """Sentences that end, and a last one that does not."""
    words = _words(text)
    ended = sum(1 for word in words if word.rstrip("\"')").endswith(tuple(_ENDS)))
    return ended + (not words[-1].rstrip("\"')").endswith(tuple(_ENDS)))


def _is_prose(character: str) -> bool:
    kind = unicodedata.category(character)
    return character in " " + _AROUND + _WITHIN + _JOINERS or kind[0] in "LM" or kind == "Nd"


def _is_dense(word: str) -> bool:
    return bool(word) and all(any(low <= character <= high for low, high in _DENSE) for character in word)
