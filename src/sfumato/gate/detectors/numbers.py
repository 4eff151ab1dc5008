"""Numbers of people: telephones, cards, accounts, and any long run of digits that is no date, amount or version."""

from __future__ import annotations

import re

from sfumato.gate.detectors import checksums
from sfumato.gate.detectors.detector import Detector, digits_of, pattern

_SHORTEST, _LONGEST_PHONE, _CARD = 7, 15, range(13, 20)
_SPACED = 9  # digits in groups with nothing but spaces between them: fewer are as often two quantities
_COUNTRIES = (
    "US GB DE FR ES IT PT BR IN CN JP KR AU NL BE CH AT SE NO DK FI PL CZ HU RU UA TR GR IL AE SA EG ZA NG KE MX AR CL "
    "CO SG HK TW ID PH VN TH MY NZ IE RO"
)
_REGIONS = tuple(_COUNTRIES.split())
_CANDIDATE = re.compile(r"(?:\+\s?|\(\s?\+?)?\d(?:[ ()./-]{0,3}\d){5,}")
_CARDS = re.compile(r"(?<!\d)(?:\d[ .-]?){12,18}\d(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_IBAN_LENGTHS = range(15, 35)
_DATE = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_UNITS = (
    r"usd|eur|gbp|inr|jpy|dollars?|euros?|pounds?|rupees?|yen|yuan|million|billion|k|percent|%|€|\$|£|¥|₹|bytes?|kb|mb"
    r"|gb|tb|rows?|records?|words?|tokens?|characters?|users?|people|views?|steps?|hours?|minutes?|seconds?|ms|km|kg"
    r"|m|hz"
    r"|px|pixels?|lines?|items?|entries|samples?|parameters?|params|iterations?|digits?"
)
_ORDINARY = re.compile(
    "|".join((
        rf"(?<![\d-]){_YEAR}([-/.]){_MONTH}\1{_DATE}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?(?![\d])",
        rf"(?<![\d-])(?<!\d[/. ])(?:{_DATE}([-/. ]){_MONTH}\2|{_MONTH}([-/. ]){_DATE}\3)(?:{_YEAR}|\d\d)(?![-/. ]?\d)",
        rf"(?<![\d(+])(?<!\d[-. ]){_YEAR}(?: ?[-/, ] ?(?:{_YEAR}|\d\d(?!\d)))*(?![-. )]?\d)",
        r"[$€£¥₹]\s?\d[\d.,]*(?: \d{3})*",
        rf"(?<![\d-])(?<!\d[ .-])\d[\d.,]*(?: \d{{3}})* ?(?:{_UNITS})(?!\w)",
        r"(?<![\d.-])(?<!\d )\d{1,3}(?:[ .]\d{3})*[ .]000(?![-. ]?\d)",
        r"(?<![\d.])-?\d{1,6}\.\d+(?!\d|[.-]\d)",
        r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)",  # an address of a machine has its own rule
        r"\b(?:versions?|ver|v|release|build|firmware|kernel|driver|patch|windows|macos|ios|android)\.? ?\d[\d.-]*",
        r"(?<![\d.])\d{1,3}\.\d{1,2}\.\d{4,5}\.\d{1,4}(?!\d|\.\d)",
        r"\bKB\d{6,7}\b",
        r"\b(?:CVE|RFC|CWE|PEP|JSR|ISO|IEC|EN|DIN|IEEE|ICD)[- ]?\d[\d:.-]*",
        r"\barXiv[: ]?\d{4}\.\d{4,5}",
        r"\b10\.\d{4,9}/\S+",
        r"\b0x[0-9a-f]{1,16}\b",
        r"\bISSN[: ]*\d{4}-?\d{3}[\dx]",
    )),
    re.IGNORECASE,
)  # fmt: skip
_ISBN = re.compile(r"\b(?:97[89][- ]?)?\d(?:[- ]?\d){8}[- ]?[\dXx]\b")
_RANGE = re.compile(r"(?<![\d-])(\d+) ?(?:-|to) ?(\d+)(?![-\d])")
_WELL_KNOWN = frozenset({
    "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551615",
    "1234567", "12345678", "123456789", "1234567890", "0123456789", "9876543210", "16777216", "3141592",
})  # fmt: skip


def _isbn(digits: str) -> bool:
    if len(digits) == 13 and digits.startswith(("978", "979")):  # noqa: PLR2004 - ISO 2108
        return checksums.weighted(digits, (1, 3)) % 10 == 0
    return False


def _without_ordinary(text: str) -> str:
    """The text without dates, years, amounts, versions, standards, ranges of round numbers and book numbers."""
    text = _ISBN.sub(lambda found: "¤" if _isbn(digits_of(found.group())) else found.group(), text)
    text = _RANGE.sub(lambda found: "¤" if _is_range(int(found[1]), int(found[2])) else found.group(), text)
    return _ORDINARY.sub("¤", text)


def _is_range(low: int, high: int) -> bool:
    return low < high and low % 10 == high % 10 == 0


def _classed(candidate: str) -> str | None:
    """`phone` or `long_number`, or None where these digits name nobody."""
    if ")" not in candidate:
        candidate = candidate.lstrip("( ")
    digits = digits_of(candidate)
    groups = re.findall(r"\d+", candidate)
    if len(digits) < _SHORTEST or all(re.fullmatch(_YEAR, group) for group in groups):
        return None
    if candidate[0] in "+(" or digits.startswith("00"):
        return "phone" if len(digits) <= _LONGEST_PHONE else "long_number"
    if len(groups) == 1:
        return None if _plain_number(digits) else "long_number"
    if len(digits) < 2 * len(groups):
        return None
    if len(digits) <= _LONGEST_PHONE and _dialled(candidate):
        return "phone"
    only_spaces = not set(candidate) - set("0123456789 ")
    return None if only_spaces and len(digits) < _SPACED else "long_number"


def _plain_number(digits: str) -> bool:
    """A number that many write: round, well known, or a date written without separators."""
    if digits in _WELL_KNOWN or len(digits.rstrip("0")) <= 2 or len(set(digits)) == 1:  # noqa: PLR2004 - 25000000
        return True
    return re.fullmatch(r"(?:199|20[0-3])\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", digits) is not None


def _dialled(candidate: str) -> bool:
    """Whether it is a number in use in some country's plan."""
    import phonenumbers

    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(candidate, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _found(text: str) -> set[str]:
    return {kind for found in _CANDIDATE.finditer(_without_ordinary(text)) if (kind := _classed(found.group()))}


def _phone(text: str) -> bool:
    return "phone" in _found(text)


def _long_number(text: str) -> bool:
    return "long_number" in _found(text)


def _card(text: str) -> bool:
    for found in _CARDS.finditer(text):
        digits = digits_of(found.group())
        if len(digits) in _CARD and len(set(digits)) > 1 and not _isbn(digits) and checksums.luhn(digits):
            return True
    return False


def _iban(text: str) -> bool:
    for found in _IBAN.finditer(text):
        words = re.split(r"[ -]", found.group().upper())
        for end in range(len(words), 0, -1):  # the words that follow the account are not part of it
            account = "".join(words[:end])
            if len(account) in _IBAN_LENGTHS and checksums.mod97(account):
                return True
    return False


DETECTORS = (
    Detector(rule="card_number", finds=_card, digits=13),
    Detector(rule="iban", finds=_iban, digits=8),
    Detector(
        rule="iban",
        digits=8,
        finds=pattern(r"\biban\b\W{0,3}(?:\w+ )?[a-z]{2}\d{2}(?: ?[a-z0-9]){8,}", r"\b[a-z]{2}\d{2}"
            r"(?: [a-z0-9]{4}){3,7}(?: [a-z0-9]{1,4})?\b"),
    ),
    Detector(
        rule="bank_account",
        digits=3,
        finds=pattern(
            r"\b(?:routing|sort code|account|acct|konto|compte|cuenta|conta|a/c|ifsc|bic|swift)\W{1,3}"
            r"(?:number|no|nr|num|code|is|:|#|\W){0,4}\s*\d{2,}[ -]?\d{2,}[ -]?\d{1,}",
            r"\b(?:card|account|ssn|number|visa|mastercard|amex|iban|phone)s?(?: \w+)? (?:ending|ends|ended) (?:in"
            r"|with|on)?:? ?\d{3,4}\b",
            r"\b\d\d-\d\d-\d\d\b(?=.{0,30}\b\d{8}\b)",
        ),
    ),
    Detector(rule="phone", finds=_phone, digits=7),
    Detector(
        rule="phone",
        digits=5,
        finds=pattern(
            r"\b(?:tel|phone|mobile|cell|whatsapp|fax|call me (?:at|on)|text me (?:at|on)|telefon|handy|tél|teléfono"
            r"|móvil"
            r"|telefone|celular|телефон|电话|電話)\b\.?(?: (?:number|nr|no|is|ist|est|es))*\W{0,3}\d[\d ()./-]{3,}\d\b"
        ),
    ),
    Detector(rule="long_number", finds=_long_number, digits=7),
)  # fmt: skip
