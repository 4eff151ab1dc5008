"""Ways to reach one person: e-mail however it is written, links, handles, numbers spelled in words."""

from __future__ import annotations

import re

from sfumato.gate.detectors.detector import Detector, pattern

_AT = r"(?:\(at\)|\[at\]|\{at\}|<at>|\barroba\b|\barobase\b|\bklammeraffe\b|\bchiocciola\b|собака)"
_OPEN_AT = r"(?:\(\s*at\s*\)|\[\s*at\s*\]|\{\s*at\s*\}|<\s*at\s*>|\(\s*a\s*\)|\[\s*@\s*\]|\(\s*@\s*\)|_at_)"
_DOT = (
    r"(?:\(\s*dot\s*\)|\[\s*dot\s*\]|\{\s*dot\s*\}|\[\.\]|\(\.\)|\bdot\b|\bpunto\b|\bpoint\b|\bpunkt\b|\bponto\b|точка)"
)
_ENDS = (
    r"(?:com|org|net|edu|gov|info|io|dev|app|me|example|test|invalid|de|fr|es|it|pt|br|nl|be|ch|at|pl|cz|se|no|dk|fi|"
    r"ru|ua|uk|co|ie|in|cn|jp|kr|au|nz|ca|us|mx|ar|eu|biz|ай|рф|ru)"
)
_WORD = r"(?<![\w.+%-])[\w.+%-]{2,64}"
_TLDS = r"(?:com|org|net|io|dev|app|ai|me|info|edu|gov|co\.uk|de|fr|es|it|nl|ru|jp|cn|in|br|se|pl|eu|tv|gg|ly|xyz)"
_FRAMEWORKS = r"(?<!\basp)(?<!\bado)(?<!\bvb)(?<!\bml)"
_IN_CODE = """
    override media autowired property everyone here channel import keyframes font-face param return returns throws
    deprecated component injectable input output dataclass staticmethod classmethod entity test bean controller
    restcontroller service repository getmapping postmapping requestmapping requestbody transactional nullable notnull
    data builder state binding published main available objc escaping mixin include extend apply tailwind layer
    container supports charset see since author version link ts-ignore interface suppresswarnings configuration
    springbootapplication value id column table onetomany manytoone beforeeach aftereach mock injectmocks
    pytest.fixture pytest.mark app.route app.get router.get cached_property abstractmethod functools.lru_cache
    lru_cache contextmanager inject query body get post put delete path before after if for class
    end types babel angular vue react nestjs mui home work
"""
_ANNOTATIONS = frozenset(_IN_CODE.split())
_HANDLE = re.compile(r"(?:^|(?<=[\s(\"':,;]))@([\w][\w.-]{2,})(?!\S*/)")
_NUMBER_WORDS = (
    "zero oh nought one two three four five six seven eight nine double triple "
    "cero uno dos tres cuatro cinco seis siete ocho nueve "
    "null eins zwei zwo drei vier fünf sechs sieben acht neun "
    "zéro un deux trois quatre cinq sept huit neuf "
    "um dois três quatro sete oito nove due tre quattro cinque sette otto"
)
_SPELLED = re.compile(rf"\b(?:(?:{'|'.join(dict.fromkeys(_NUMBER_WORDS.split()))})[\s,.-]+){{6,}}\w+", re.IGNORECASE)


def _handle(text: str) -> bool:
    return any(found.group(1).rstrip(".-").lower() not in _ANNOTATIONS for found in _HANDLE.finditer(text))


def _spelled(text: str) -> bool:
    return _SPELLED.search(text) is not None


DETECTORS = (
    Detector(
        rule="email",
        finds=pattern(
            r"[^\s@]\s?@\s?[^\s@.]{1,63}(?:\.[^\s@.]{1,63}){0,4}\s?\.\s?[^\s@]{2,}",
            rf"{_WORD}\s?{_OPEN_AT}\s?[\w-]{{2,63}}\s?(?:{_DOT}|\.)\s?\w{{2,}}",
            rf"\b{_WORD}\s+at\s+[\w-]{{2,63}}\s+dot\s+{_ENDS}\b",
            rf"\b{_WORD}\s+(?:{_AT}|@)\s+[\w-]{{2,63}}\s+{_DOT}\s+{_ENDS}\b",
            rf"\b{_WORD}\s+(?:at|@)\s+[\w-]{{2,63}}\s+punkt\s+{_ENDS}\b",
            rf"(?<![\w.+-])(?=[\w+-]{{1,64}}[._+\d])[\w.+-]{{2,64}}\s+(?:{_AT}|at)\s+[\w-]{{2,63}}\.{_ENDS}\b",
            r"(?:\b\w ){3,}@ (?:\w ){2,}",
            r"\w@(?:gmail|yahoo|hotmail|outlook|icloud|protonmail|gmx)\b",
            r"\b\w{2,}\s+at\s+(?:gmail|yahoo|hotmail|outlook|icloud|proton|protonmail|gmx|aol|qq|mail)\s*(?:\."
            r"|\bdot\b)",
            rf"\b\w+\s+dot\s+\w+\s+(?:at|@)\s+[\w-]{{2,}}\.{_ENDS}\b",
        ),
    ),
    Detector(
        rule="link",
        finds=pattern(
            r"\b[a-z][a-z0-9+.-]{1,9}://(?!(?:localhost|127\.0\.0\.1)\b)[^\s/]",
            r"\bhxxps?:",
            r"\bwww\.\S",
            rf"(?<![\w-])[\w-]{{1,63}}{_FRAMEWORKS}\.{_TLDS}/[\w~@%?#=.-]{{2,}}",
            r"\b(?:t\.me|wa\.me|bit\.ly|tinyurl\.com|youtu\.be|goo\.gl|linktr\.ee|paypal\.me|fb\.me)\b",
        ),
    ),
    Detector(rule="handle", finds=_handle),
    Detector(
        rule="account_name",
        finds=pattern(
            r"(?:^|[\s/(])/?u/[\w-]{3,}",
            r"\b[\w.]{2,32}#\d{4}\b",
            r"\b[a-z]{4,}_?\d{5,}\b",
            r"\b(?:twitter|instagram|insta|telegram|discord|snapchat|tiktok|skype|steam|github|reddit|facebook|linkedin"
            r"|wechat|signal|venmo|cash ?app|xbox|psn)(?: (?:handle|user ?name|id|user|account|name|profile))?"
            r"(?:\s*[:=]\s*| (?:is|called|named|handle|user ?name|id) )@?(?=[\w.-]*[\d_.])[\w.-]{4,}",
            r"\b(?:twitter|instagram|telegram|discord|snapchat|tiktok|skype|steam|github|reddit|venmo)"
            r"(?: (?:handle|user|account|name|profile))? (?=\w*[._])(?=[\w.-]*\d)[a-z][\w.-]{4,}",
            r"\b(?=[\w.]*\d)(?=[\w.]*_)[\w.]{5,} on (?:twitter|x|instagram|telegram|discord|snapchat|tiktok|skype"
            r"|reddit|facebook)\b",
            r"\b(?:user ?name|login|handle|screen ?name|nick(?:name)?|user ?id|gamertag)\s*(?:[:=]|\bis\b)\s*[\"']?"
            r"(?=[\w.-]*[\d_.])[\w.-]{4,}",
            r"\b(?:user|account|profile|member) (?:named |called )?[\"'](?=[\w.-]*[\d_])[\w.-]{4,}[\"']",
        ),
    ),
    Detector(rule="spelled_number", finds=_spelled),
)
