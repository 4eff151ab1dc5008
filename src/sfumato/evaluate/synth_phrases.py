"""What synthetic people say: requests from per-topic tables, wrapped in openings, contexts, follow-ups and replies."""

from __future__ import annotations

import json
from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from sfumato.evaluate.synth_tree import corpus_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

_T = TypeVar("_T")

MOST_TURNS = 8
_TURNS = list(accumulate(k**-1.7 for k in range(1, MOST_TURNS + 1)))
"""Cumulated weights of 1 to 8 user turns: about half of all conversations end after one."""

_CONTEXTS = (0.58, 0.84, 0.95)
"""Up to these quantiles a request carries 0, 1, 2 sentences of context; beyond, 3."""

_SAYS_HELLO_FIRST = 0.06
_OPENS, _CLOSES, _ASKS_TWICE, _CONTEXT_LEADS = 0.3, 0.3, 0.1, 0.35
_NOTE_AT_ONCE = 0.6
_LOWER_CASE, _TYPO = 0.1, 0.06
"""Shares of conversations, chosen to look like public chat logs."""

_AFTER_COMMA = tuple(",:\uff0c\u3001\u060c")
_ENDS = (*_AFTER_COMMA, *".!?\u3002\uff01\uff1f\u061f\u0964")
"""Latin marks, then the CJK, Arabic and Devanagari ones."""

_STOPS = {"zh": "。", "ja": "。", "hi": "।"}

_CONTRACTIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "es": ((" de el ", " del "), (" a el ", " al ")),
    "fr": ((" de le ", " du "), (" de les ", " des "), (" à le ", " au "), (" à les ", " aux ")),
    "pt": (
        *((f" {a} {b} ", f" {c} ") for a, b, c in (("de", "o", "do"), ("de", "a", "da"), ("em", "o", "no"))),
        *((f" {a} {b} ", f" {c} ") for a, b, c in (("em", "a", "na"), ("por", "o", "pelo"), ("por", "a", "pela"))),
        *((f" {a} {b} ", f" {c} ") for a, b, c in (("de", "os", "dos"), ("de", "as", "das"), ("em", "um", "num"))),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to ask: a verb phrase that a frame completes, or a whole question. `subject` fills replies."""

    text: str
    subject: str
    question: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """All that one language can say: sentence material by kind, and requests by topic and pattern."""

    language: str
    join: str
    stop: str
    said: Mapping[str, tuple[str, ...]]
    requests: Mapping[str, tuple[tuple[Request, ...], ...]]
    subjects: Mapping[str, tuple[str, ...]]


@cache
def voice(language: str) -> Voice:
    """The language's tables, every slot filled beforehand so that composing is only choosing."""
    said = json.loads(corpus_text("frames.json"))[language]
    requests, subjects = {}, {}
    for line in corpus_text(f"{language}.txt").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        topic, _, rest = line.partition(" = ")
        patterns, fillers, *more = ([item.strip() for item in part.split(" | ")] for part in rest.split(" # "))
        subjects[topic] = tuple(fillers)
        requests[topic] = tuple(_expand(p, fillers, more[0] if more else [""], language) for p in patterns)
    join = said.pop("join")
    return Voice(
        language=language,
        join=join,
        stop=_STOPS.get(language, "."),
        said={kind: tuple(items) for kind, items in said.items()},
        requests=requests,
        subjects=subjects,
    )


def _expand(pattern: str, xs: Sequence[str], ys: Sequence[str], language: str) -> tuple[Request, ...]:
    question = pattern.startswith("? ")
    bare = pattern.removeprefix("? ")
    out = []
    for x in xs if "{x}" in bare else xs[:1]:
        for y in ys if "{y}" in bare else ys[:1]:
            text = f" {bare.replace('{x}', x).replace('{y}', y)} "
            for old, new in _CONTRACTIONS.get(language, ()):
                text = text.replace(old, new)
            out.append(Request(text=text.strip(), subject=x, question=question))
    return tuple(out)


def conversation(
    language: str, topic: str, rng: Random, *, notes: Sequence[str] = (), chatter: float = 1.0
) -> list[dict[str, str]]:
    """Messages `{role, content}` of one conversation about the topic, 1 to 8 user turns, each answered.

    notes: sentences to be said as well (planted strings): in the first request, or spread over later turns.
    chatter: share, 0 to 1, that is kept of what stands around the first request: greetings, thanks, circumstances.
    """
    speaker = voice(language)
    turns = bisect(_TURNS, rng.random() * _TURNS[-1]) + 1
    first, subject = _first_request(speaker, topic, rng, chatter)
    asked, answered = [first], [_pick(speaker.said["replies"], rng).replace("{x}", subject)]
    followups, afterwards = speaker.said["followups"], speaker.said["afterwards"]
    start, other = int(rng.random() * len(followups)), int(rng.random() * len(afterwards))
    for turn in range(turns - 1):  # in a circle, so that nobody says the same thing twice in a row
        asked.append(followups[(start + turn) % len(followups)].replace("{x}", _pick(speaker.subjects[topic], rng)))
        answered.append(afterwards[(other + turn) % len(afterwards)])
    for note in notes:
        turn = 0 if rng.random() < _NOTE_AT_ONCE else int(rng.random() * turns)
        asked[turn] = f"{asked[turn]}{speaker.join}{note}"
    if turns < MOST_TURNS and rng.random() < _SAYS_HELLO_FIRST * chatter:
        asked.insert(0, _pick(speaker.said["greetings"], rng))
        answered.insert(0, _pick(speaker.said["welcomes"], rng))
    pairs = zip(asked, answered, strict=True)
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def _pick(items: Sequence[_T], rng: Random) -> _T:
    return items[int(rng.random() * len(items))]


def _first_request(speaker: Voice, topic: str, rng: Random, chatter: float) -> tuple[str, str]:
    said = speaker.said
    request = _pick(_pick(speaker.requests[topic], rng), rng)
    opening = _pick(said["openings"], rng) if rng.random() < _OPENS * chatter else ""
    core = _framed(request, _pick(said["frames"], rng), after_comma=opening.endswith(_AFTER_COMMA))
    contexts = rng.sample(said["contexts"], bisect(_CONTEXTS, rng.random()))
    if chatter < 1:
        contexts = [one for one in contexts if rng.random() < chatter]
    if rng.random() < _ASKS_TWICE:
        other = _pick(_pick(speaker.requests[topic], rng), rng)
        contexts.append(other.text if other.question else _framed(other, _pick(said["more"], rng), after_comma=False))
    first_context = bool(contexts) and not opening and rng.random() < _CONTEXT_LEADS
    parts = [*contexts[:1], core, *contexts[1:]] if first_context else [opening, core, *contexts]
    if rng.random() < _CLOSES * chatter:
        parts.append(_pick(said["closings"], rng))
    text = speaker.join.join(_ended(part, speaker.stop) for part in parts[:-1] if part)
    text = f"{text}{speaker.join if text else ''}{parts[-1]}"
    return _careless(text, rng) if speaker.language == "en" else text, request.subject


def _framed(request: Request, frame: str, *, after_comma: bool) -> str:
    if request.question:
        text = request.text
    else:
        task = request.text
        text = frame.replace("{t}", task).replace("{o}", task.removesuffix("ना") + "ने" if "{o}" in frame else "")
        if frame.startswith("{t}") and not frame.endswith("."):
            return text
    if after_comma:
        return text if text.startswith(("I ", "I'")) else _first_letter(text, upper=False)
    return _first_letter(text, upper=True)


def _ended(part: str, stop: str) -> str:
    return part if part.endswith(_ENDS) else part + stop


def _first_letter(text: str, *, upper: bool) -> str:
    at = 1 if text.startswith("¿") else 0
    letter = text[at].upper() if upper else text[at].lower()
    return f"{text[:at]}{letter}{text[at + 1 :]}"


def _careless(text: str, rng: Random) -> str:
    """Some people type in lower case without a full stop, some swap two letters."""
    style = rng.random()
    if style < _LOWER_CASE:
        return text.lower().removesuffix(".")
    if style < _LOWER_CASE + _TYPO:
        at = int(rng.random() * (len(text) - 2)) + 1
        if text[at - 1 : at + 2].isalpha():
            return f"{text[:at]}{text[at + 1]}{text[at]}{text[at + 2 :]}"
    return text
