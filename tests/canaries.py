"""Strings planted in a log, and everything in which they could turn up: files, lines, spans, metrics, answers."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateways import SUBJECTS, own_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MARK = "zqkxvj"  # begins every canary, and stands in no other text
EACH = 4


def canary(number: int) -> str:
    """One planted string: letters, so that it is a word of its own to whoever cuts text into words."""
    return MARK + own_word(number)


def write_planted(path: Path, *, canaries: int) -> Path:
    """A log with so many planted strings, each in one conversation; every user's id is one more."""
    with path.open("w") as file:
        for number in range(canaries):
            user = number // EACH
            turns = [
                {
                    "role": "user",
                    "content": f"a question about {SUBJECTS[user % len(SUBJECTS)]} {canary(number)} please",
                },
                {"role": "assistant", "content": f"people do it slowly, {canary(number)}"},
            ]
            record = {"conversation_id": canary(10**5 + number), "user_id": canary(2 * 10**5 + user), "messages": turns}
            file.write(json.dumps(record) + "\n")
    return path


def _forms() -> re.Pattern[bytes]:
    """The mark as it is, backwards, in hex, UTF-16, JSON escapes, and base64 wherever it begins in three bytes."""
    plain = MARK.encode()
    forms = {plain, plain.hex().encode(), MARK.encode("utf-16-le"), plain[::-1]}
    forms |= {"".join(f"\\u{ord(letter):04x}" for letter in MARK).encode()}
    for before in range(3):
        coded = base64.b64encode(bytes(before) + plain + bytes(3))
        forms.add(coded[-(-8 * before // 6) : (8 * (before + len(plain))) // 6])
    return re.compile(b"|".join(map(re.escape, sorted(forms))), re.IGNORECASE)


FORMS = _forms()


def sightings(haystacks: Iterable[tuple[str, bytes]]) -> list[str]:
    """Names of the haystacks in which a canary is, in any form."""
    return [name for name, content in haystacks if FORMS.search(content)]


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below these folders, by its name, which is searched too."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder.parent))
            yield f"name of {name}", name.encode()
            if path.is_file() and not path.is_symlink():
                yield name, path.read_bytes()


@contextmanager
def every_line(level: int = 1) -> Iterator[io.StringIO]:
    """What is logged by anybody, at every level, messages filled in and traces included."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    before = [(one, one.level, one.propagate, one.disabled) for one in (logging.root, *named)]
    for one, *_ in before:
        one.setLevel(level)
        one.propagate, one.disabled = True, False
    logging.root.addHandler(handler)
    try:
        yield stream
    finally:
        logging.root.removeHandler(handler)
        for one, old, propagate, disabled in before:
            one.setLevel(old)
            one.propagate, one.disabled = propagate, disabled
