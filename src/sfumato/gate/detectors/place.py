"""Where one person lives or was: street addresses with a number, postcodes, coordinates."""

from __future__ import annotations

import re

from sfumato.gate.detectors.detector import Detector, pattern

_STREET = (
    r"street|avenue|road|lane|boulevard|crescent|terrace|highway|parkway|turnpike|st\.|ave\.?|blvd\.?|rd\.?|ln\.?"
    r"|pkwy\.?|hwy\.?|cres\.?|mews"
)
_CAPITAL_STREET = (
    r"Drive|Dr|Court|Ct|Place|Pl|Way|Circle|Cir|Square|Sq|Trail|Trl|Loop|Plaza|Row|Walk|Park|Hill|Grove|Alley|Path|Run"
    r"|Point|Ridge|Bend|Crossing|Glen|View|Heights|Green|St|Rd|Ave|Ln|Blvd|Pike|Route|Expressway|Close|Gardens|Junction|Cove|Estates"
)
_MEASURES = (
    r"(?:way|ways|lane|lanes|mile|miles|km|minute|minutes|min|hour|hours|day|days|week|weeks|month|months|year|years"
    r"|star"
    r"|best|main|most|top|step|steps|foot|feet|ft|m|meter|metre|story|storey|dollar|percent|different|new|old|common"
    r"|ways"
    r"|popular|famous|great|tips|ideas|safe|busy|busiest|things|types|kinds|examples|people|users|players|cars|points"
    r"|houses|bikes|of|the|a|an|and|or|in|on|for|to|with|at|by|from|per|x)"
)
_GERMAN = (
    r"(?:[a-zäöüß-]*(?:straße|strasse|str\.|gasse|chaussee)|\w+er (?:weg|allee|platz|ring|damm|ufer)"
    r"|(?!um|rück|heim|ausweg|arbeits|schul|hin|lösungs|rad|fuß|spring|haupt|arbeitspl|parkpl|stellpl)"
    r"[a-zäöüß-]{3,}(?:weg|allee|platz|ring|damm|ufer|stieg|steig))"
)
_NORDIC = (
    r"\w{2,}(?:straat|laan|weg|plein|gracht|kade|dreef|singel|dijk|gatan|vägen|gränd|gata|gade|vej|vejen|gate|veien"
    r"|vei|katu|tie|kuja"
    r"|polku|tee|utca|tér|ring|bunder|pad|hof|plads|torv|brücke)"
)
_ROMANCE = (
    r"calle|avenida|avda\.?|av\.|rua|travessa|viale|vicolo|piazzale|piazza|strada|bulevardul|ul\.|ulica|ulice|aleja"
    r"|al\.|улица|ул\.|проспект|пр\.|вулиця"
    r"|шоссе|переулок|пер\.|شارع|jalan|jl\."
)
_CAPITAL_ROMANCE = (
    r"(?i:via|plaza|corso|largo|alameda|paseo|camino|carrera|calzada|ronda|rue|allée|chemin|impasse|quai|faubourg)"
)
_NOT_METRES = (
    r"(?! ?(?:%|€|uhr|euros?|jahre|tage|ans|años|anos|jours|días|dias|minut\w+|heures|horas"
    r"|k?m|kilom\w+|meter|times|stops|in der)\b)"
)
_OTHER = r"utca|útja|utcája|út|körút|tér|u\.|sok\.?|sokak|cad\.?|caddesi|bulvarı"  # noqa: RUF001 - Turkish
_NAME = r"[\w'.\u00c0-\u024f-]+"
_UNIT = (
    r"apt\.?|apartment|suite|ste\.?|flat|unit|appartement"
    r"|appt\.?|wohnung|piso|depto\.?|dpto\.?|apto\.?|int\.|кв\.|квартира"
)
_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA "
    "RI SC SD TN TX UT VT VA WA WV WI WY DC PR APO AE AA AP"
).replace(" ", "|")
_PROPER = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff][\w.'-]*(?: [^\W\d_][\w.'-]*){0,2}"
_PLACED = (
    rf"\d{{1,5}}[a-z]?,? (?!(?:AM|PM|Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)\b){_PROPER}"
    rf"|(?!(?:Room|Step|Level|Page|Version|Windows|Android|Python|Chapter|Section|Part|Type|Grade|Tier|Zone|Pier|Gate"
    rf"|Terminal|Exit|Route|Region|Phase|January|February|March|April|May|June|July|August|September|October|November"
    rf"|December)\b){_PROPER} (?!(?:19|20)\d\d\b)\d{{1,4}}[a-z]?\b(?!\.\d)"
)
_SMALL = (
    r"(?:rue|avenue|boulevard|bd\.?|chemin|impasse|allée|place|quai|cours|route|square|passage"
    r"|faubourg|via|viale|calle)"
)
_MEASURED = re.compile(rf"^\d+(?:st|nd|rd|th)?[ -]{_MEASURES}\b", re.IGNORECASE)
_ENGLISH = re.compile(
    rf"(?<![\d$€£.,-])\b\d{{1,5}}[a-z]?(?:-\d{{1,4}})?,? (?:{_NAME} ){{1,4}}(?:{_STREET})(?!\w)(?! (?:foods?|art"
    rf"|fight|trip|race|signs?|style|view|map|bike|photograph\w*|light\w*|fighter|smart))",
    re.IGNORECASE,
)
_ENGLISH_CASED = re.compile(
    rf"(?<![\d$€£.,-])\b\d{{1,5}}[A-Za-z]?,? (?:(?:[NSEW]|North|South|East|West|NE|NW|SE"
    rf"|SW)\.? )?(?:[A-Z0-9][\w'.-]* ){{1,3}}(?:{_CAPITAL_STREET})\b\.?"
)


def _english(text: str) -> bool:
    return any(
        not _MEASURED.search(found.group())
        for compiled in (_ENGLISH, _ENGLISH_CASED)
        for found in compiled.finditer(text)
    )


DETECTORS = (
    Detector(
        rule="coordinates",
        digits=4,
        finds=pattern(
            r"-?\d{1,3}\.\d{3,}°?\s?[NS]?\s*[,;/ ]\s*-?\d{1,3}\.\d{3,}",
            r"\d{1,3}\s?°\s?\d{1,2}\s?'\s?(?:\d{1,2}(?:\.\d+)?\s?(?:\"|'')?)?\s?[NSEW]\b",
            r"\d{1,3}\.\d{2,}\s?°?\s?[NS]\b.{0,4}\d{1,3}\.\d{2,}\s?°?\s?[EWO]\b",
            r"\blat(?:itude)?\W{1,3}-?\d{1,2}\.\d{2,}.{1,12}\blo?ng?(?:itude)?\W{1,3}-?\d{1,3}\.\d{2,}",
            r"\bgeo:-?\d",
            r"\b[23456789CFGHJMPQRVWX]{4,8}\+[23456789CFGHJMPQRVWX]{2,3}\b",
        ),
    ),
    Detector(rule="street_address", finds=_english, digits=1),
    Detector(
        rule="street_address",
        digits=1,
        finds=pattern(
            rf"\b(?:{_GERMAN}) \d{{1,4}}\s?[a-h]?\b{_NOT_METRES}",
            r"\bam (?:\w+ ){1,3}\d{1,4}[a-h]?,? \d{4,5}\b",
            rf"\b{_NORDIC} \d{{1,4}}\s?[a-h]?\b",
            rf"(?<!\w)(?:{_ROMANCE}) (?:{_NAME},? ){{0,4}}{_NAME},? (?:n[º°.]? ?|no\.? ?|nr\.? ?|д\.? ?|дом "
            rf"|num\.? )?\d{{1,5}}\b{_NOT_METRES}",
            rf"\b\d{{1,4}}(?: ?(?:bis|ter|[a-d]))?,? {_SMALL} (?:(?:de|du|des|de la|de l'|d'|della|del|di) ?)?{_NAME}",
            rf"\b{_NAME} (?:{_OTHER}) \d{{1,4}}\b",
            rf"\b{_NAME} (?:{_OTHER}) (?:no:? ?)\d{{1,4}}\b",
            r"[\u4e00-\u9fff]{1,8}(?:路|街|道|巷|弄|大道|胡同)\s?\d{1,5}\s?(?:号|號|弄)",
            r"\d{1,3}\s?(?:丁目|番地|番\d)|[\u4e00-\u9fff](?:区|市|町|村|郡)[\u3040-\u9fff]{1,10}\s?\d{1,4}-\d{1,4}(?:-\d{1,4})?",
            r"[\uac00-\ud7a3]{1,8}(?:로|길|동)\s?\d{1,4}(?:-\d{1,4})?(?:번지|호)?(?![\d\uac00-\ud7a3])(?<!개동)",
        ),
    ),
    Detector(
        rule="address_unit",
        digits=1,
        finds=pattern(
            rf"(?<!\w)(?:{_UNIT}) ?#?\s?[a-z]?-?\d{{1,5}}[a-z]?\b(?! (?:test|tests|bed|bedroom|credits?|rate))",
            r"\bp\.? ?o\.? ?box:? ?\d+",
            r"\b(?:postfach|apartado(?: de correos)?|boîte postale|b\.p\.|caixa postal|casella postale"
            r"|post ?boks) ?\d+",
            r"\b(?:psc|cmr|uss|unit) \d{3,5},? box \d+",
            r"\b(?:lives?|living|resid\w+|located|address) (?:is |at )+(?:number |no\.? )?\d{1,5}[a-z]?,? [a-z]{3,}",
        ),
    ),
    Detector(
        rule="street_address",
        digits=1,
        finds=pattern(
            rf"(?i:\b(?:address|adresse?|dirección|indirizzo|endereço|adres"
            rf"|адрес)(?:es)?)(?: of [\w .'-]{{2,40}}?)?(?: is|:| =|, here \w+ \w+:| ist| es| est| è"
            rf"| é)\s.{{0,30}}?(?:{_PLACED})",
            rf"(?i:\b(?:lives?|living|lived|resid\w+|located|moved|based|meet|corner|deliver\w*|shipped|ship|sent"
            rf"|house is|home is|wohn\w+|vive|vivo|vit|habite|abita|mora|woont)\b)"
            rf" (?i:me |it |them |him |her )?(?i:side |north |south |east |west )*(?i:at|on|in|to|of|near|bei|am|en"
            rf"|à|in der|auf der|na|no) (?:the )?(?i:corner of )?(?:{_PLACED})",
            rf"\b{_CAPITAL_ROMANCE} (?:(?:de|du|des|del|della|dei|la|las|los|el|do|da|dos|d'"
            rf"|l') ?){{0,2}}{_PROPER},? (?:n[º°.]? ?)?\d{{1,4}}\b{_NOT_METRES}",
            rf"\b{_PROPER} (?:gate|gata|vei|veg|allé|prospekt|prospect) \d{{1,4}}[a-z]?\b",
            rf"\b{_PROPER} \d{{1,4}}[a-z]? and {_PROPER} (?:{_CAPITAL_STREET})\b",
            cased=True,
        ),
    ),
    Detector(
        rule="postcode",
        digits=2,
        finds=pattern(
            r"\b(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d[0-9ABEHMNPRV-Y]?"
            r"|\d[A-HJKPS-UW]) \d[ABD-HJLNP-UW-Z]{2})\b(?<!GB)(?<!TB)(?<!HZ)(?<!ST)(?<!ND)(?<!RD)(?<!TH)",
            r"\b[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d\b",
            rf"\b(?:{_STATES}),? \d{{5}}(?:-\d{{4}})?\b",
            r"(?i:\b(?:zip|post|postal)[ -]?code|\bplz|\bcódigo postal|\bcode postal|\bCEP)\W{0,3}(?:is |ist |es "
            r"|est )?[A-Z]{0,2}-?\d{1,2}[A-Z\d]{2,4}\b",
            cased=True,
        ),
    ),
)  # fmt: skip
