"""Personal data that belongs to nobody, for planting: reserved ranges and test numbers only."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from sfumato.evaluate.synth_tree import corpus_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

KINDS = ("name", "email", "phone", "address", "card", "iban", "ip", "key")
_WEIGHTS = (5, 5, 4, 3, 1, 1, 1, 1)


@cache
def _material() -> Mapping[str, Mapping[str, str | Sequence[str]]]:
    loaded: Mapping[str, Mapping[str, str | Sequence[str]]] = json.loads(corpus_text("plants.json"))
    return loaded


def sentence(kind: str, value: str, *, language: str) -> str:
    """How somebody writing this language mentions a value of this kind (`canary` included)."""
    return str(_material()[language][kind]).replace("{v}", value)


def personal(language: str, rng: Random) -> list[tuple[str, str]]:
    """One or two (kind, value) pairs of different kinds, as one person would give them."""
    kinds = rng.choices(KINDS, _WEIGHTS, k=2 if rng.random() < 0.25 else 1)  # noqa: PLR2004 - one in four says more
    return [(kind, _value(kind, language, rng)) for kind in dict.fromkeys(kinds)]


def _value(kind: str, language: str, rng: Random) -> str:
    own = _material()[language]
    number = rng.randrange(1, 10**6)
    makers: Mapping[str, Callable[[], str]] = {
        "name": lambda: _name(own, "" if language in ("zh", "ja") else " ", rng),
        "email": lambda: _name(_material()["en"], ".", rng).lower() + f"{number}@example.org",
        "phone": lambda: f"+1-202-555-01{number % 100:02d}",
        "address": lambda: rng.choice(own["streets"]).replace("{n}", str(number % 180 + 1)),
        "card": lambda: _card(rng),
        "iban": lambda: _iban(rng),
        "ip": lambda: f"192.0.2.{number % 254 + 1}",
        "key": lambda: f"sk-test-{rng.getrandbits(128):032x}",
    }
    return makers[kind]()


def _name(own: Mapping[str, str | Sequence[str]], join: str, rng: Random) -> str:
    given, family = rng.choice(own["given"]), rng.choice(own["family"])
    return join.join((given, family) if join else (family, given))


def _card(rng: Random) -> str:
    """A number of the test range 4000 00.., its check digit by Luhn (ISO/IEC 7812-1)."""
    digits = [4, 0, 0, 0, 0, 0, *(rng.randrange(10) for _ in range(9))]
    doubled = [d * 2 - 9 * (d > 4) if i % 2 == 0 else d for i, d in enumerate(digits)]  # noqa: PLR2004 - 2 x 5 has two digits
    text = "".join(map(str, [*digits, -sum(doubled) % 10]))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def _iban(rng: Random) -> str:
    """A British-looking account at a bank called TEST, with valid check digits (ISO 13616)."""
    account = f"{rng.randrange(10**14):014d}"
    number = int("".join(str(int(c, 36)) for c in f"TEST{account}GB00"))
    return f"GB{98 - number % 97:02d}TEST{account}"
