"""Check digits of cards, accounts and national numbers: what tells an identifier from an ordinary number."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_FISCAL_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ), strict=True)
)  # fmt: skip
_VIN = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
                strict=True))  # fmt: skip
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of its two digits
    return total % 10 == 0


def mod97(account: str) -> bool:
    """ISO 13616 / ISO 7064 MOD 97-10, on an IBAN without spaces."""
    moved = account[4:] + account[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Verhoeff 1969, the dihedral group of order ten: the last digit of an Aadhaar number."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _VERHOEFF_PERMUTATION[value]
        check = _dihedral(check, value)
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:  # noqa: PLR2004 - a rotation; from five on a reflection
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5  # noqa: PLR2004
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5  # noqa: PLR2004


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of each digit times its weight; weights repeat where they are fewer."""
    return sum(int(digit) * weight for digit, weight in zip(digits, cycle(weights), strict=False))


def iso7064_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: German tax number, Croatian OIB."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def brazilian_person(digits: str) -> bool:
    """CPF: two check digits, modulus 11."""
    if len(set(digits)) == 1:
        return False
    return all(weighted(digits[:size], range(size + 1, 1, -1)) * 10 % 11 % 10 == int(digits[size]) for size in (9, 10))


def brazilian_firm(digits: str) -> bool:
    """CNPJ: two check digits, modulus 11."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(digits[:12], weights[1:]) % 11
    second = weighted(digits[:13], weights) % 11
    return digits[12:] == f"{0 if first < 2 else 11 - first}{0 if second < 2 else 11 - second}"  # noqa: PLR2004


def spanish_letter(number: str) -> bool:
    """DNI and NIE: the letter is the remainder by 23."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def french_key(number: str) -> bool:
    """INSEE number: 97 less the remainder by 97; Corsica's 2A and 2B count as 19 and 18."""
    body, key = number[:13].replace("2A", "19").replace("2B", "18"), int(number[13:])
    return 97 - int(body) % 97 == key


def italian_letter(code: str) -> bool:
    """Codice fiscale, decree of 23 December 1976: odd places by a table, even ones by their rank."""
    total = sum(
        _FISCAL_ODD[char] if place % 2 == 0 else int(char) if char.isdigit() else ord(char) - 65
        for place, char in enumerate(code[:15])
    )
    return chr(65 + total % 26) == code[15]


def chinese_resident(number: str) -> bool:
    """GB 11643-1999, ISO 7064 MOD 11-2."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17]


def vehicle(number: str) -> bool:
    """ISO 3779 with the check digit of 49 CFR 565 at the ninth place."""
    total = sum(
        (int(char) if char.isdigit() else _VIN[char]) * weight
        for char, weight in zip(number, _VIN_WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11] == number[8]
