"""What a model reads of a conversation: turns with their role, as many as a window of characters holds.

The rule: if the whole conversation fits, all of it. Else first the first user message, then by turns the next message
from the beginning and the next from the end, until one does not fit. Each may take half of what is left of the window;
one that is longer is cut in its middle, and both cuts and gaps are marked. It depends on the conversation alone.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.model.conversation import Conversation, Message

CUT = " […] "
GAP = "[…]"
SHORTEST = 40  # characters: less of a cut message says nothing
ROLES = frozenset({"user", "assistant", "system", "tool"})
TAG = "conversation"
_LOOK_AHEAD = 60
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(13, 32), *range(127, 160)])
_OPENS = re.compile("[<\uff1c\ufe64]")


def transcript(conversation: Conversation, *, window: int) -> str:
    """The conversation as data inside its tags, at most `window` characters between them; empty if nobody said a thing.

    Control characters go, lone surrogates become U+FFFD, and what could be read as one of the tags loses its bracket.
    """
    said = [message for message in conversation.messages if message.content and not message.content.isspace()]
    if not said:
        return ""
    return f"<{TAG}>\n{_within(said, window)}\n</{TAG}>"


def _within(said: list[Message], window: int) -> str:
    heads = [f"{message.role if message.role in ROLES else 'other'}: " for message in said]
    if sum(len(head) + len(message.content) + 1 for head, message in zip(heads, said, strict=True)) <= window + 1:
        return "\n".join(head + _clean(message.content) for head, message in zip(heads, said, strict=True))
    left = window - 2 * (len(GAP) + 1)
    taken: dict[int, str] = {}
    for place in _order(said):
        room = left // 2 - len(heads[place]) - 1
        content = said[place].content
        if len(content) > room and room < SHORTEST:
            break
        taken[place] = heads[place] + _clean(_cut(content, room))
        left -= len(taken[place]) + 1
    lines: list[str] = []
    previous = -1
    for place in sorted(taken):
        lines += [taken[place]] if place == previous + 1 else [GAP, taken[place]]
        previous = place
    return "\n".join([*lines, GAP] if previous + 1 < len(said) else lines)


def _order(said: list[Message]) -> Iterator[int]:
    """The first user message, then by turns from the beginning and from the end."""
    places = range(len(said))
    first = next((place for place in places if said[place].role == "user"), 0)
    others = [place for place in places if place != first]
    middle = (len(others) + 1) // 2
    by_turns = chain.from_iterable(zip_longest(others[:middle], reversed(others[middle:])))
    return chain([first], (place for place in by_turns if place is not None))


def _cut(content: str, room: int) -> str:
    """At most `room` characters, from both ends."""
    if len(content) <= room:
        return content
    kept = room - len(CUT)
    return content[: kept - kept // 2] + CUT + content[len(content) - kept // 2 :]


def _clean(text: str) -> str:
    """Never longer than the text."""
    plain = text.translate(_CONTROL)
    if not plain.isascii():
        plain = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _OPENS.sub(_bracket, plain)


def _bracket(found: re.Match[str]) -> str:
    """The bracket, unless the letters after it, whatever stands between them, spell the tag's name."""
    after = unicodedata.normalize("NFKC", found.string[found.end() : found.end() + _LOOK_AHEAD])
    letters = "".join(filter(str.isalpha, after)).casefold()
    return "\u2039" if letters.startswith(TAG) else found[0]
