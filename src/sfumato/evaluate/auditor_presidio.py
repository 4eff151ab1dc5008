"""Cases for the auditor from sentences with spans: as they are, and with generic words in place of the spans."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from sfumato.errors import InputError
from sfumato.evaluate.auditor import Case, CaseSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

IDENTIFIERS = frozenset({
    "CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "IP_ADDRESS", "US_SSN", "US_DRIVER_LICENSE",
    "DOMAIN_NAME", "URL", "US_PASSPORT", "US_ITIN", "US_BANK_NUMBER", "UK_NHS", "CRYPTO", "MEDICAL_LICENSE",
})  # fmt: skip
"""Types whose value alone singles out one person, account or machine."""
ADDRESSES = frozenset({"STREET_ADDRESS", "ADDRESS"})
NAMES = frozenset({"PERSON"})
_GENERIC = {
    "PERSON": "someone", "CREDIT_CARD": "a card", "EMAIL_ADDRESS": "an e-mail address", "PHONE_NUMBER": "a number",
    "IBAN_CODE": "an account", "IP_ADDRESS": "a machine", "US_SSN": "a number", "US_DRIVER_LICENSE": "a licence",
    "DOMAIN_NAME": "a website", "STREET_ADDRESS": "an address", "ADDRESS": "an address", "ZIP_CODE": "a postal area",
    "GPE": "a country", "LOCATION": "a place", "ORGANIZATION": "a company", "DATE_TIME": "a date", "AGE": "some age",
    "NRP": "foreign", "TITLE": "a title", "PREFIX": "a title",
}  # fmt: skip
FILE = "data.jsonl"


class _Span(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)
    type: str
    start: int
    end: int


class _Row(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)
    text: str
    spans: tuple[_Span, ...]
    template_id: int | str
    source: str = ""


def read(path: Path) -> tuple[CaseSet, ...]:
    """Six sets: identifiers, addresses and bare names, each for half A and half B of the templates.

    Detectors were tuned looking at half A only. A sentence is in the first set whose types it has, so one with a
    card and a name is of the identifiers. Its safe twin is the same sentence with all its spans replaced by generic
    words; line breaks become spaces, since a released string has none.

    Raises:
        InputError: the file is missing or not of this format.
    """
    rows = list(_rows(path / FILE if path.is_dir() else path))
    sets = []
    for half in "AB":
        own = [row for row in rows if _half(row) == half]
        sets += [_set(f"sentences_identifiers_{half}", own, wanted=IDENTIFIERS, without=frozenset())]
        sets += [_set(f"sentences_addresses_{half}", own, wanted=ADDRESSES, without=IDENTIFIERS)]
        sets += [_set(f"sentences_names_{half}", own, wanted=NAMES, without=IDENTIFIERS | ADDRESSES)]
    return tuple(sets)


def _set(name: str, rows: Iterable[_Row], *, wanted: frozenset[str], without: frozenset[str]) -> CaseSet:
    cases: list[Case] = []
    for row in rows:
        types = {span.type for span in row.spans}
        if types & wanted and not types & without:
            kinds = tuple(sorted(types & wanted))
            cases.append(Case(text=_one_line(row.text), unsafe=True, kinds=kinds))
            cases.append(Case(text=_one_line(_generic(row.text, row.spans)), unsafe=False, kinds=kinds))
    return CaseSet(name=name, cases=tuple(dict.fromkeys(cases)))


def _half(row: _Row) -> str:
    drawn = hashlib.sha256(f"{row.source}:{row.template_id}".encode()).digest()[0]
    return "AB"[drawn % 2]


def _generic(text: str, spans: Sequence[_Span]) -> str:
    for span in sorted(spans, key=lambda one: -one.start):
        text = text[: span.start] + _GENERIC.get(span.type, "something") + text[span.end :]
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _rows(path: Path) -> Iterator[_Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: can't be read; give the file, or the folder that holds {FILE}") from None
    for number, line in enumerate(lines, start=1):
        try:
            yield _Row.model_validate(json.loads(line))
        except (ValueError, ValidationError):
            raise InputError(f"{path.name}:{number}: not a sentence with spans and a template_id") from None
