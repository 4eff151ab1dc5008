"""Which language a request is written in: offline, from the text alone, one of a closed list."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from py3langid.langid import LanguageIdentifier

UNKNOWN = "unknown"
LANGUAGES: tuple[str, ...] = (
    "ar", "az", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he", "hi",
    "hr", "hu", "hy", "id", "it", "ja", "ka", "kk", "km", "kn", "ko", "lt", "lv", "mk", "ml", "mn", "mr", "my",
    "ne", "nl", "no", "pa", "pl", "pt", "ro", "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th",
    "tl", "tr", "uk", "ur", "uz", "vi", "zh",
)  # fmt: skip
"""ISO 639-1 codes; in this order, the facet's domain. Near twins are folded into the larger: ms into id, bs into hr."""

READ_CHARACTERS = 500
_SURE = 0.4  # of the probability, among the languages of the text's script; less is `unknown`
_FEW_LETTERS = 3  # fewer letters of an alphabet than this name no language

# Where a new script begins; what lies between the listed blocks (symbols, emoji) has no script.
_BLOCKS: tuple[tuple[int, str], ...] = (
    (0x0041, "latin"), (0x02B0, ""), (0x0370, "greek"), (0x0400, "cyrillic"), (0x0530, "armenian"),
    (0x0590, "hebrew"), (0x0600, "arabic"), (0x0780, ""), (0x0900, "devanagari"), (0x0980, "bengali"),
    (0x0A00, "gurmukhi"), (0x0A80, "gujarati"), (0x0B00, ""), (0x0B80, "tamil"), (0x0C00, "telugu"),
    (0x0C80, "kannada"), (0x0D00, "malayalam"), (0x0D80, "sinhala"), (0x0E00, "thai"), (0x0E80, ""),
    (0x1000, "burmese"), (0x10A0, "georgian"), (0x1100, "hangul"), (0x1200, ""), (0x1780, "khmer"), (0x1800, ""),
    (0x1E00, "latin"), (0x1F00, "greek"), (0x2000, ""), (0x3040, "kana"), (0x3100, ""), (0x3400, "han"),
    (0x4DC0, ""), (0x4E00, "han"), (0xA000, ""), (0xAC00, "hangul"), (0xD7B0, ""), (0xF900, "han"),
    (0xFB00, "latin"), (0xFB13, ""), (0xFB50, "arabic"), (0xFE00, ""), (0xFE70, "arabic"), (0xFF00, ""),
    (0xFF21, "latin"), (0xFF5B, ""), (0xFF66, "kana"), (0xFFA0, "hangul"), (0xFFE0, ""), (0x20000, "han"),
    (0x32000, ""),
)  # fmt: skip
_STARTS = tuple(start for start, _ in _BLOCKS)

_WRITTEN_IN: dict[str, tuple[str, ...]] = {
    "han": ("zh",), "kana": ("ja",), "hangul": ("ko",), "thai": ("th",), "hebrew": ("he",), "greek": ("el",),
    "armenian": ("hy",), "georgian": ("ka",), "bengali": ("bn",), "gurmukhi": ("pa",), "gujarati": ("gu",),
    "tamil": ("ta",), "telugu": ("te",), "kannada": ("kn",), "malayalam": ("ml",), "sinhala": ("si",),
    "burmese": ("my",), "khmer": ("km",), "devanagari": ("hi", "mr", "ne"), "arabic": ("ar", "fa", "ur"),
    "cyrillic": ("bg", "kk", "mk", "mn", "ru", "sr", "uk"),
}  # fmt: skip
_LATIN = tuple(
    code for code in LANGUAGES if code == "sr" or not any(code in codes for codes in _WRITTEN_IN.values())
)  # Serbian is written in both

# One sign of these scripts says as much as several letters, and English terms inside such text are common.
_WEIGHT = {"han": 6, "kana": 6, "hangul": 3}

# A public prior, of the order of each language's share of the web: it decides short texts, and only those.
_PRIOR = {"en": 12.0, "es": 4.0, "fr": 4.0, "de": 4.0, "pt": 3.0, "it": 3.0, "nl": 2.0, "pl": 2.0, "tr": 2.0, "vi": 2.0,
          "id": 2.0, "ru": 3.0, "ar": 3.0, "fa": 2.0, "hi": 4.0}  # fmt: skip

_NOT_PROSE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+|www\.\S+|\S+@\S+|<[^<>\n]{1,200}>", re.DOTALL)


def detect(text: str) -> str:
    """The ISO 639-1 code of the text's language, one of LANGUAGES, or `unknown`. Reads the first 500 characters.

    A script that one language is written in decides by itself; else py3langid chooses among the script's languages.
    `unknown` stands for no letters, too few of them, or no language clearly ahead. Thread-safe.
    """
    read = text[:READ_CHARACTERS]
    prose = _NOT_PROSE.sub(" ", read)
    script, letters = _script(prose)
    if letters == 0 and prose != read:
        prose = read
        script, letters = _script(prose)
    candidates = _WRITTEN_IN.get(script, _LATIN)
    if len(candidates) == 1 and letters:
        return candidates[0]
    if letters < _FEW_LETTERS:
        return UNKNOWN
    return _likeliest(_shares(prose), candidates)


def _script(text: str) -> tuple[str, int]:
    """The script that weighs most in the text, and how many of its signs there are; ties go to the first listed."""
    if text.isascii():
        return "latin", sum(map(str.isalpha, text))
    signs: dict[str, int] = {}
    for sign in text:
        if sign.isalpha():
            script = _BLOCKS[bisect_right(_STARTS, ord(sign)) - 1][1]
            if script:
                signs[script] = signs.get(script, 0) + 1
    if not signs:
        return "", 0
    if "kana" in signs and 10 * signs["kana"] >= signs.get("han", 0):
        signs["kana"] += signs.pop("han", 0)  # Japanese mixes both, Chinese has no kana
    script = max(sorted(signs), key=lambda name: signs[name] * _WEIGHT.get(name, 1))
    return script, signs[script]


def _likeliest(shares: Mapping[str, float], candidates: tuple[str, ...]) -> str:
    weighed = {code: shares[code] * _PRIOR.get(code, 1.0) for code in candidates}
    best = max(weighed, key=weighed.__getitem__)
    return best if weighed[best] > _SURE * sum(weighed.values()) else UNKNOWN


def _shares(text: str) -> dict[str, float]:
    """Probability of each language, by py3langid's naive Bayes over byte n-grams."""
    return dict(_identifier().rank(text))


_loading = threading.Lock()


def _identifier() -> LanguageIdentifier:
    with _loading:
        return _loaded()


@cache
def _loaded() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
