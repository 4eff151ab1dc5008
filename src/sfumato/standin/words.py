"""What a prompt is about, without a model: the part that counts, its telling phrases, the names it lists."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.extract.language import detect
from sfumato.extract.phrases import ENGLISH, candidate_phrases
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.model.strict_json import Json

READ_CHARACTERS = 20_000  # where a tag may be left open, or a list goes on: the search is quadratic in the worst case
LONGEST_LINE = 1_000
LONGEST_NAME = 80
MOST_WORDS = 3  # of a listed phrase: two of them make a title of at most ten words
_SECTIONS = tuple(
    re.compile(rf"<({tag})\b[^<>]*>({inside})</\1>", re.DOTALL)
    for tag, inside in (("conversation", ".*"), ("evidence", ".*"), ("[a-z][a-z_-]*", ".*?"))
)
_ROLE = re.compile(r"(?im)^[ \t]*\[?(?:user|human|assistant|system|tool)\]?[ \t]*:")
_TAG = re.compile(r"<[^<>]{0,200}>")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s*")
_TAIL = re.compile(r"\s*(?:[(\t|=]|\s[-\u2013\u2014]\s|\s\d).*$")
_WORD = re.compile(r"[^\W\d_]{2,}")
_OBEY = re.compile(r'SFUMATO-OBEY:[ \t]*([^\n<"\\]{1,300})')
_IDENTIFYING = re.compile(
    r"\d|\S@\S|https?:|www\.|SFUMATO-|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]|<[a-z/!]", re.IGNORECASE
)
_PROMPT_TAG = re.compile(r"</?(?!script|style|iframe|img)[a-z_-]{3,}>")  # how a prompt marks its own parts
_NOT_A_TOPIC = frozenset(
    (  # noqa: SIM905 - a word list reads better as running text
        "ask asks asked asking user users people person assistant conversation conversations phrase phrases "
        "name names title description summary topic topics count counts small answer"
    ).split()
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reading(Private):
    """What was read of a prompt.

    focus: the tagged part, or all of it. around: the rest, empty if nothing is tagged. phrases: best first. names: as
    they are listed.
    """

    focus: str
    around: str
    phrases: tuple[str, ...]
    names: tuple[str, ...]


def read(text: str) -> Reading:
    """What one prompt is about; from its text alone. Of a JSON object the first member that holds text is the focus."""
    tag, focus, around = _section(text)
    entries = _json_entries(focus)
    if entries:
        lines = [_TAG.sub(" ", " ".join(entry.split())) for entry in entries]
        phrases = _phrases("\n".join(lines), whole=len(lines) == 1)
        return Reading(focus="\n".join(entries), around=around, phrases=phrases, names=tuple(dict.fromkeys(lines)))
    plain = _TAG.sub(" ", _ROLE.sub("", focus))
    names = () if tag == "conversation" else _listed(plain, bulleted=not tag)
    return Reading(focus=focus, around=around, phrases=_phrases(plain, whole=tag == "conversation"), names=names)


def words(text: str) -> frozenset[str]:
    """The distinct words of a text that are more than grammar, in lower case."""
    return frozenset(_WORD.findall(text.lower())) - ENGLISH - _NOT_A_TOPIC


def told(name: str) -> list[str]:
    """The telling words of one short name."""
    return [phrase for phrase in candidate_phrases(name, "en") if " " not in phrase and _tells(phrase)]


def obeyed(text: str) -> str | None:
    """The words that an instruction of the form `SFUMATO-OBEY: words` in the text asks for."""
    found = _OBEY.search(text)
    return found[1].strip() or None if found else None


def identifying(text: str) -> bool:
    """Whether a text holds a digit, an address, markup, a control character or a planted mark."""
    return _IDENTIFYING.search(_PROMPT_TAG.sub(" ", html.unescape(text))) is not None


def _section(text: str) -> tuple[str, str, str]:
    """Which tag, what stands inside it, and what stands outside; of tags without a known meaning all count."""
    for pattern in _SECTIONS:
        searched = text if pattern is not _SECTIONS[-1] else text[:READ_CHARACTERS]
        found = pattern.findall(searched)
        if found:
            return found[0][0], "\n".join(inside for _, inside in found), pattern.sub(" ", searched)
    return "", text, ""


def _json_entries(text: str) -> list[str]:
    """The strings of a list, or of the first member of an object that holds any; none where the text is no JSON."""
    try:
        value = json.loads(text) if text.lstrip()[:1] in {"{", "["} else None
    except (ValueError, RecursionError):
        return []
    members = value.values() if isinstance(value, dict) else [value]
    return next((strings for member in members if (strings := _strings(member))), [])


def _strings(value: Json) -> list[str]:
    """A string, or those of a list, which may stand in objects beside their numbers."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, dict):
        return next(([inner] for inner in value.values() if isinstance(inner, str) and inner.strip()), [])
    return [string for item in value for string in _strings(item)] if isinstance(value, list) else []


def _phrases(text: str, *, whole: bool) -> tuple[str, ...]:
    """Of a conversation, its candidate phrases; of a list, those that most lines share, first."""
    language = detect(text)
    if whole or "\n" not in text.strip():
        return tuple(phrase for phrase in candidate_phrases(text, language, limit=24) if _tells(phrase))
    lines = [line for line in text.splitlines() if line.strip()][:200]
    shared = Counter(phrase for line in lines for phrase in candidate_phrases(line, language, limit=24))
    return tuple(phrase for phrase, _ in shared.most_common(24) if _tells(phrase))


def _tells(phrase: str) -> bool:
    return not _NOT_A_TOPIC & set(phrase.split())


def _listed(text: str, *, bulleted: bool) -> tuple[str, ...]:
    """Short entries without bullets, counts and remarks: one to a line, or after a colon and between commas."""
    found: dict[str, None] = {}
    for line in text[:READ_CHARACTERS].splitlines():
        if (bulleted and not _BULLET.match(line)) or len(line) > LONGEST_LINE:
            continue
        for part in _parts(_BULLET.sub("", line)):
            entry = _TAIL.sub("", part).strip(" \t\"'`.[]{}")
            if len(entry) <= LONGEST_NAME and _WORD.search(entry) and not _IDENTIFYING.search(entry):
                found[entry] = None
    return tuple(found)


def _parts(line: str) -> Iterator[str]:
    """What a line lists: a line that ends with a colon is a heading and lists nothing."""
    head, colon, rest = line.partition(":")
    if not colon or rest.strip()[:1].isdigit():
        yield head
    else:
        yield from re.split("[,;]", rest)


def _is_phrase(name: str) -> bool:
    return len(name.split()) <= MOST_WORDS and _tells(name.lower()) and not identifying(name)


def topics(reading: Reading, count: int) -> list[str]:
    """At most `count` phrases to build a sentence from; listed short ones first, none inside another."""
    short = [name.lower() for name in reading.names if _is_phrase(name)]
    chosen: list[str] = []
    for phrase in (*short, *reading.phrases):
        if not any(words(phrase) <= words(held) or words(held) <= words(phrase) for held in chosen):
            chosen.append(phrase)
        if len(chosen) == count:
            break
    return chosen or ["small talk"]
