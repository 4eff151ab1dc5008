"""Check digits: published example numbers pass, and a number with one digit changed does not."""

from __future__ import annotations

import pytest

from sfumato.gate.detectors import checksums

VALID = (
    ("luhn", "4111111111111111"),
    ("luhn", "378282246310005"),
    ("mod97", "DE89370400440532013000"),
    ("mod97", "GB29NWBK60161331926819"),
    ("verhoeff", "2363"),
    ("iso7064_11_10", "86095742719"),
    ("brazilian_person", "11144477735"),
    ("brazilian_firm", "11222333000181"),
    ("spanish_letter", "12345678Z"),
    ("spanish_letter", "X1234567L"),
    ("french_key", "185057800608491"),
    ("italian_letter", "RSSMRA85T10A562S"),
    ("chinese_resident", "11010519491231002X"),
    ("vehicle", "1HGCM82633A004352"),
)


@pytest.mark.parametrize(("name", "number"), VALID)
def test_a_published_number_passes_and_each_single_wrong_digit_fails(name: str, number: str) -> None:
    passes = getattr(checksums, name)
    assert passes(number)
    wrong = [
        number[:place] + str((int(char) + 1) % 10) + number[place + 1 :]
        for place, char in enumerate(number)
        if char.isdigit()
    ]
    assert not any(passes(other) for other in wrong)
