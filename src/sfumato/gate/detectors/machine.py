"""Addresses of machines, keys and tokens, and paths that hold a user's directory."""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from itertools import pairwise

from sfumato.gate.detectors.detector import Detector, pattern

_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.|\s?\[\.\]\s?|\(\.\))){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?(?![\w:])", re.IGNORECASE)
_VERSIONED = re.compile(
    r"(?:\bversion|\bver|\bv|\bbuild|\brelease|\bsection|\bchapter|\bsoftware|\bfirmware|§)\.?\s*$", re.IGNORECASE
)
_SHARED = (
    "127.0.0.1 0.0.0.0 255.255.255.255 192.168.0.1 192.168.1.1 192.168.0.0 192.168.1.0 10.0.0.1 10.0.0.0 172.16.0.0 "
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 169.254.169.254 169.254.0.0 224.0.0.1 127.0.1.1"
)
EVERYBODYS = frozenset(_SHARED.split())
"""Addresses that are the same for everybody: loopback, default gateways, public resolvers."""

_SEGMENT = 12
_HEX = 16
_TOKEN = 20
_LETTERS = 24
_TURNS = 4
_RUN = re.compile(r"[A-Za-z0-9_+/=-]{12,}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_BASE64 = re.compile(r"(?=[A-Za-z0-9+/]*\d)(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])[A-Za-z0-9+/]{20,}={0,2}")
_BITS = 3.5
_PLACEHOLDERS = (
    r"(?!(?:user|users|username|you|your|yourname|me|my|name|admin|administrator|root|ubuntu|pi|public|shared|default|"
    r"runner|home|dev|test|example|app|node|local|ec2-user|all|someone)\b|[<{%$*])"
)


def _ip(text: str) -> bool:
    for found in _IPV4.finditer(text):
        plain = re.sub(r"[^\d.]", "", found.group())
        if plain in EVERYBODYS or plain.startswith("255.") or _VERSIONED.search(text[: found.start()]):
            continue
        if all(int(part) < 256 for part in plain.split(".")):  # noqa: PLR2004 - an octet
            return True
    return any(_ipv6(found.group()) for found in _IPV6.finditer(text))


def _ipv6(written: str) -> bool:
    try:
        address = ipaddress.IPv6Address(written.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or int(address) < 1 << 32)  # `a::b`, a scope in C++


def _random_looking(run: str) -> bool:
    """A key, hash or token: hexadecimal, or letters and digits in turn as no word, version or model name has them."""
    parts = [part for part in re.split(r"[-_/+=]", run) if part]
    joined = "".join(parts)
    if len(joined) >= _HEX and _HEXADECIMAL.fullmatch(joined) and _mixed(joined):
        return True
    if any(len(part) >= _SEGMENT and _turns(part) >= _TURNS and _mixed(part) for part in parts):
        return True
    if len(joined) >= _LETTERS and any(_turns(part) * 5 >= len(part) >= _LETTERS for part in parts):
        return True
    return (
        len(joined) >= _TOKEN and sum(_turns(part) for part in parts if len(part) > _TURNS) > _TURNS and _mixed(joined)
    )


def _mixed(text: str) -> bool:
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def _turns(text: str) -> int:
    """How often letters and digits, or small letters and capitals (but for a word's first), change places."""
    kinds = ["0" if char.isdigit() else "A" if char.isupper() else "a" for char in text]
    return sum(a != b and (a, b) != ("A", "a") for a, b in pairwise(kinds))


def _bits(text: str) -> float:
    """Shannon entropy of the characters, bits each."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def _token(text: str) -> bool:
    if any(_random_looking(found.group()) for found in _RUN.finditer(text)):
        return True
    return any(_bits(found.group()) >= _BITS and _turns(found.group()) > _TURNS for found in _BASE64.finditer(text))


DETECTORS = (
    Detector(rule="ip_address", finds=_ip),
    Detector(
        rule="mac_address",
        finds=pattern(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", r"\b(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}\b(?<=\d)"),
    ),
    Detector(
        rule="key",
        finds=pattern(
            r"-----BEGIN [A-Z ]+-----",
            r"\bssh-(?:rsa|ed25519|dss) AAAA",
            r"\b(?:sk|pk|rk|whsec|sess)[-_](?:[a-z]+[-_])*(?=[\w-]*\d)[\w-]{10,}",
            r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|dop_v1_|shpat_|dckr_pat_|sq0[a-z]{3}-|xox[abeprs]-"
            r"|xapp-)[\w-]{10,}",
            r"\bAIza[\w-]{20,}",
            r"\bya29\.[\w-]{10,}",
            r"\bSG\.[\w-]{10,}\.[\w-]{10,}",
            r"\beyJ[\w-]{8,}\.[\w-]{4,}",
        ),
    ),
    Detector(
        rule="key",
        finds=pattern(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{12,}\b", cased=True),
    ),
    Detector(
        rule="secret",
        finds=pattern(
            r"\b(?:password|passwd|pwd|passphrase|passcode|contraseña|mot de passe|passwort|kennwort|senha|пароль|密码"
            r"|パスワード)\s*(?:(?:is|was|es|est|ist|lautet|é|是|は|:|=)+\s*)+[\"'`]?(?=\S*[\d!@#$%^&*_])\S{4,}",
            r"(?<![a-z])(?:api|access|secret|private|auth|bearer|session)[ _-]?(?:key|token|secret|id)s?\s*(?:is|:"
            r"|=)\s*[\"'`]?"
            r"(?=\S*\d)\S{6,}",
            r"\bbearer\s+(?=\S*\d)[\w.-]{12,}",
            r"\b(?:pin|otp|cvv|cvc|passcode|2fa|verification code|security code|one-time code)"
            r"(?: code| number)?\s*(?:is|was|of|:|=|#)?\s*(?!(?:19|20)\d\d\b)\d{3,8}\b",
        ),
        digits=1,
    ),
    Detector(
        rule="user_path",
        finds=pattern(
            rf"(?:^|[\s\"'`(=:])/(?:home|Users|export/home|var/mail)/{_PLACEHOLDERS}[\w.-]{{2,}}",
            rf"\b[a-z]:[\\/]+(?:Users|Documents and Settings)[\\/]+{_PLACEHOLDERS}[\w. -]{{2,}}",
            rf"(?:^|\s)~{_PLACEHOLDERS}[a-z][\w-]{{2,}}/",
            rf"\\\\[\w.-]+\\(?:users|home)\$?\\{_PLACEHOLDERS}[\w.-]{{2,}}",
        ),
    ),
    Detector(rule="token", finds=_token),
)
