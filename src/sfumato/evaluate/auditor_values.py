"""Identifiers that belong to nobody, in the formats of many countries, and harmless things that look like them.

The formats lie in `corpus/auditor_values.json`: `#` is a digit, a word in braces is one of the makers below.
"""

from __future__ import annotations

import json
import re
import string
from functools import cache
from typing import TYPE_CHECKING

from sfumato.evaluate.synth_tree import corpus_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

_SLOT = re.compile(r"#|\{([\w-]+)\}")
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_ACCOUNTS = (("GB", "TEST", 14), ("DE", "", 18), ("ES", "", 20), ("NL", "TEST", 10), ("IT", "X", 22), ("PL", "", 24))
"""Country, bank, and digits of the account: the lengths of the IBAN registry."""


def identifier(kind: str, rng: Random) -> str:
    """One made-up identifier of this kind."""
    return _filled(rng.choice(_formats("identifiers")[kind]), rng)


def lookalike(kind: str, rng: Random) -> str:
    """Something harmless that is written much like an identifier."""
    return _filled(rng.choice(_formats("lookalikes")[kind]), rng)


def kinds(*, unsafe: bool) -> Sequence[str]:
    """Kinds of identifiers, or of lookalikes."""
    return sorted(_formats("identifiers" if unsafe else "lookalikes"))


@cache
def _material() -> Mapping[str, Sequence[str]]:
    loaded: Mapping[str, Sequence[str]] = json.loads(corpus_text("auditor_values.json"))
    return loaded


@cache
def _formats(name: str) -> Mapping[str, Sequence[str]]:
    loaded: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(corpus_text("auditor_values.json"))
    return loaded[name]


def _filled(template: str, rng: Random) -> str:
    return _SLOT.sub(lambda slot: _MAKERS[slot[1]](rng) if slot[1] else _digits(rng, 1), template)


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _drawn(name: str, *, lower: bool = False) -> Callable[[Random], str]:
    return lambda rng: rng.choice(_material()[name]).lower() if lower else rng.choice(_material()[name])


def _any_of(alphabet: str, count: int) -> Callable[[Random], str]:
    return lambda rng: "".join(rng.choices(alphabet, k=count))


def _below(low: int, high: int) -> Callable[[Random], str]:
    return lambda rng: str(rng.randrange(low, high))


def _grouped(make: Callable[[Random], str], join: str) -> Callable[[Random], str]:
    return lambda rng: join.join(re.findall(".{1,4}", make(rng)))


def _luhn(head: str, size: int) -> Callable[[Random], str]:
    """A card of a test range with its check digit (ISO/IEC 7812-1)."""

    def make(rng: Random) -> str:
        body = head + _digits(rng, size - len(head) - 1)
        doubled = [
            int(d) * 2 - 9 * (int(d) > 4) if i % 2 == 0 else int(d)  # noqa: PLR2004 - two times five has two digits
            for i, d in enumerate(reversed(body))
        ]
        return body + str(-sum(doubled) % 10)

    return make


def _iban(rng: Random) -> str:
    """An account with valid check digits (ISO 13616)."""
    country, bank, size = rng.choice(_ACCOUNTS)
    body = bank + _digits(rng, size)
    check = 98 - int("".join(str(int(char, 36)) for char in f"{body}{country}00")) % 97
    return f"{country}{check:02d}{body}"


def _dni(rng: Random) -> str:
    number = rng.randrange(10**7, 10**8)
    return f"{number}{_DNI[number % 23]}"


def _insee(rng: Random) -> str:
    body = f"2{_digits(rng, 2)}05{rng.randrange(10, 95)}{_digits(rng, 6)}"
    return f"{body} {97 - int(body) % 97:02d}"


def _cpf(rng: Random) -> str:
    found = _digits(rng, 9)
    for size in (10, 11):
        total = sum(int(digit) * weight for digit, weight in zip(found, range(size, 1, -1), strict=True))
        found += str(total * 10 % 11 % 10)
    return f"{found[:3]}.{found[3:6]}.{found[6:9]}-{found[9:]}"


_CARD = _luhn("400000", 16)
_AMEX = _luhn("3782", 15)
_MAKERS: Mapping[str, Callable[[Random], str]] = {
    "Given": _drawn("given"),
    "Family": _drawn("family"),
    "g": _drawn("given", lower=True),
    "f": _drawn("family", lower=True),
    "host": _drawn("host"),
    "head": _drawn("head"),
    "d": _below(0, 10),
    "m": _below(1, 10),
    "n": _below(2, 190),
    "o": _below(1, 255),
    "U": _any_of(string.ascii_uppercase, 1),
    "h2": _any_of("0123456789abcdef", 2),
    "h4": _any_of("0123456789abcdef", 4),
    "mixed": _any_of(string.ascii_letters + string.digits, 16),
    "card": _CARD,
    "card4": _grouped(_CARD, " "),
    "card-": _grouped(_CARD, "-"),
    "amex": _AMEX,
    "amex4": lambda rng: re.sub(r"(.{4})(.{6})", r"\1 \2 ", _AMEX(rng)),
    "iban": _iban,
    "iban4": _grouped(_iban, " "),
    "ibanlow": lambda rng: _iban(rng).lower(),
    "dni": _dni,
    "insee": _insee,
    "cpf": _cpf,
}
