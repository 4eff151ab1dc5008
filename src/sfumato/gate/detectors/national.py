"""Numbers that a state or an institution gives one person: with check digits, or named by the words before them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.gate.detectors import checksums
from sfumato.gate.detectors.detector import Detector, pattern

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Scheme:
    """A country's number: how it is written, and the check it passes once spaces, dots, dashes and slashes are gone."""

    name: str
    written: str
    passes: Callable[[str], bool]


def _always(_number: str) -> bool:
    return True


def _sum(weights: tuple[int, ...], modulus: int) -> Callable[[str], bool]:
    return lambda number: checksums.weighted(number, weights) % modulus == 0


def _belgian(number: str) -> bool:
    return any(97 - int(century + number[:9]) % 97 == int(number[9:]) for century in ("", "2"))


def _chilean(number: str) -> bool:
    rest = -checksums.weighted(number[-2::-1], (2, 3, 4, 5, 6, 7)) % 11
    return "0123456789K"[rest] == number[-1]


def _finnish(number: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[-4:-1]) % 31] == number[-1]


def _dutch(number: str) -> bool:
    return (checksums.weighted(number[:8], range(9, 1, -1)) - int(number[8])) % 11 == 0


def _swiss(number: str) -> bool:
    return checksums.weighted(number, (1, 3)) % 10 == 0


def _south_korean(number: str) -> bool:
    return (11 - checksums.weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(number[12])


def _singaporean(number: str) -> bool:
    rest = (checksums.weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + 4 * (number[0] in "TG")) % 11
    return (("JZIHGFEDCBA" if number[0] in "ST" else "XWUTRQPNMLK")[rest]) == number[-1]


_SCHEMES = (
    Scheme("us ssn", r"(?!000|666)\d{3}([- .])(?!00)\d\d\1(?!0000)\d{4}", _always),
    Scheme("us ein", r"\d\d-\d{7}", _always),
    Scheme("uk nino", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D]", _always),
    Scheme("es dni", r"\d{2}\.?\d{3}\.?\d{3}[- ]?[A-HJ-NP-TV-Z]", checksums.spanish_letter),
    Scheme("es nie", r"[XYZ][- ]?\d{7}[- ]?[A-HJ-NP-TV-Z]", checksums.spanish_letter),
    Scheme("fr insee", r"[1-478] ?\d\d ?(?:0[1-9]|[1-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", checksums.french_key),
    Scheme("de tax id", r"[1-9]\d(?: ?\d{3}){3}", checksums.iso7064_11_10),
    Scheme("it codice fiscale", r"(?:[A-Z]{3} ?){2}\d\d[A-EHLMPRST]\d\d ?[A-Z]\d{3}[A-Z]", checksums.italian_letter),
    Scheme("in aadhaar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", checksums.verhoeff),
    Scheme("in pan", r"[A-Z]{3}[ABCFGHLJPTK][A-Z]\d{4}[A-Z]", _always),
    Scheme("br cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d\d", checksums.brazilian_person),
    Scheme("br cnpj", r"\d\d\.?\d{3}\.?\d{3}/?\d{4}-?\d\d", checksums.brazilian_firm),
    Scheme("cn resident", r"[1-9]\d{5}(?:19|20)\d{9}[\dX]", checksums.chinese_resident),
    Scheme("nl bsn", r"\d{3}[. ]?\d{3}[. ]?\d{3}", _dutch),
    Scheme("pl pesel", r"\d{11}", _sum((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
    Scheme("se personnummer", r"(?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])[-+]\d{4}", _always),
    Scheme("dk cpr", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d-\d{4}", _always),
    Scheme("fi hetu", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", _finnish),
    Scheme("be national", r"\d\d\.?\d\d\.?\d\d-?\d{3}\.?\d\d", _belgian),
    Scheme("ch ahv", r"756\.?\d{4}\.?\d{4}\.?\d\d", _swiss),
    Scheme("cl rut", r"\d{1,2}\.?\d{3}\.?\d{3}-[\dK]", _chilean),
    Scheme("mx curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", _always),
    Scheme("mx rfc", r"[A-ZÑ&]{4}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[A-Z0-9]{3}", _always),
    Scheme("kr rrn", r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-4]\d{6}", _south_korean),
    Scheme("sg nric", r"[STFG]\d{7}[A-Z]", _singaporean),
    Scheme("ca sin", r"\d{3}[- ]\d{3}[- ]\d{3}", checksums.luhn),
    Scheme("za id", r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}[01]\d{2}", checksums.luhn),
    Scheme("vehicle", r"(?=[A-Z]*\d)(?=\d*[A-Z])[A-HJ-NPR-Z0-9]{17}", checksums.vehicle),
)
_COMPILED = tuple((re.compile(rf"(?<![\w.-]){scheme.written}(?![\w-]|\.\d)"), scheme) for scheme in _SCHEMES)

_DOCUMENT = (
    r"passports?|ssn|social security|nino|national insurance|nhs|dni|nie|insee|steuer-?id|steuernummer|codice fiscale"
    r"|aadhaar|pan card|cpf|tax id|tin|vat|itin|driver'?s? licen[cs]e|driving licen[cs]e|licen[cs]e|license plate"
    r"|medicare|medicaid|mrn|patient id|medical record|id card|identity card|identity|personalausweis|ausweis|pesel|bsn"
    r"|personnummer|green card|visa|imei|imsi|iccid|vin|seguridad social|sécurité sociale|carte d'identité"
    r"|reisepass|passeport|pasaporte|passaporto|passaporte|паспорт|снилс|инн|身份证|護照|护照|パスポート|マイナンバー"
)
_RECORD = (
    r"account|acct|order|case|ticket|patient|employee|student|member|membership|customer|client|badge|policy|policyholder|hospital|invoice"
    r"|booking|reservation|confirmation|reference|ref|serial|tracking|claim|record|file|payroll|staff|user|loan|device"
    r"|transaction|receipt|subscriber|enrollment|application|matter|docket|flight|pnr|loyalty|voucher|dossier|kunden"
    r"|bestell|rechnungs|vertrags|pedido|factura|expediente|commande|facture|cliente|matrícula"
)
_LABEL = r"(?:[- ]?(?:id|no|nr|num|number|nummer|code|ref|reference|número|numéro|numero|n°|nº|#|номер))"
_CODE = r"(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d[\w/-]*\d)(?!(?:19|20)\d\d\b)[A-Z]{0,6}[-/ ]?(?:[A-Z0-9]{1,}[-/]?)*\d[A-Z0-9-]*"
_PLATE = r"[A-ZÄÖÜ]{1,3}[- ]?[A-Z0-9]{1,4}[- ]?\d{0,4}[A-Z]{0,3}"


def _national(text: str) -> bool:
    upper = text.upper()
    return any(
        scheme.passes(re.sub(r"[ ./-]", "", found.group()))
        for compiled, scheme in _COMPILED
        for found in compiled.finditer(upper)
    )


DETECTORS = (
    Detector(rule="national_id", finds=_national, digits=4),
    Detector(
        rule="document_number",
        digits=4,
        finds=pattern(
            rf"\b(?:{_DOCUMENT}){_LABEL}?(?: (?:is|ending(?: in)?|was|ist|est|es|é))?\s*[:=#]?\s*{_CODE}\b",
            r"(?:身份证|護照|护照|パスポート|マイナンバー)\w{0,3}\s*[:=#]?\s*[A-Z]{0,3}\d{5,}",
        ),
    ),
    Detector(
        rule="record_number",
        digits=4,
        finds=pattern(
            rf"\b(?:{_RECORD}){_LABEL}(?: is| was)?\s*[:=]?\s*{_CODE}\b",
            rf"\b(?:{_RECORD})\s*[:=#]\s*{_CODE}\b",
            r"#\s?(?!(?:19|20)\d\d\b)(?!(?=\d*[a-f])[0-9a-f]{6}\b)(?=[\w-]*\d{3})[A-Z]{0,5}-?\d[\d-]{3,}\b",
            r"\b(?:id|no|nr|ref)\s*[:=.]\s*(?=[\w-]*\d{4})(?!(?:19|20)\d\d\b)[\w-]{5,}\b",
            rf"\b(?:{_RECORD})\s+(?=[\w-]*\d{{5}})[A-Z]{{0,5}}-?\d[\w-]*\b",
            rf"\b(?:{_RECORD})\s+[A-Z]{{2,6}}-\d{{4,}}\b",
        ),
    ),
    Detector(
        rule="record_number",
        digits=2,
        finds=pattern(
            r"(?i:\b(?:ref(?:erence)?|booking|reservation|confirmation|pnr|locator|voucher|tracking|ticket|serial))"
            r"(?i: (?:ref(?:erence)?|code|no\.?|nr|number|is|#"
            r"|id))*\W{1,3}(?=[A-Z0-9-]*\d[A-Z-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9-]{5,}\b",
            r"\b\d:\d\d-[a-z]{2}-\d{3,6}\b",
            cased=True,
        ),
    ),
    Detector(
        rule="licence_plate",
        digits=1,
        finds=pattern(
            rf"(?i:\b(?:licen[cs]e plate|number plate|registration(?: number| plate)?|plate(?: number)?|kennzeichen"
            rf"|plaque|immatriculation|matrícula|targa|placa)\b(?: (?:is|was|ist|est"
            rf"|es))?)\s*[:=#]?\s*(?=[A-ZÄÖÜ0-9 -]*\d){_PLATE}\b",
            r"(?<![\w-])[A-Z]{2}[0-9]{2} [A-HJ-PR-Z]{3}(?![\w-])",
            r"(?<![\w-])[A-Z]{2}-\d{3}-[A-Z]{2}(?![\w-])",
            cased=True,
        ),
    ),
)  # fmt: skip
