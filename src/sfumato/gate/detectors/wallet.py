"""Addresses of crypto wallets: their prefixes and alphabets, with Bitcoin's checksum where there is one."""

from __future__ import annotations

import hashlib
import re

from sfumato.gate.detectors.detector import Detector, pattern

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58 = re.compile(rf"\b[13LMDrTX][{_ALPHABET}]{{25,34}}\b")
_BYTES = 25


def _checked(address: str) -> bool:
    """Base58Check: the last four bytes are the head of the double SHA-256 of the rest."""
    value = 0
    for char in address:
        value = value * 58 + _ALPHABET.index(char)
    if value.bit_length() > _BYTES * 8:
        return False
    raw = value.to_bytes(_BYTES, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def _base58(text: str) -> bool:
    return any(_checked(found.group()) for found in _BASE58.finditer(text))


DETECTORS = (
    Detector(rule="wallet", finds=_base58, digits=1),
    Detector(
        rule="wallet",
        digits=1,
        finds=pattern(
            r"\b(?:bc1|tb1|ltc1)[02-9ac-hj-np-z]{20,}\b",
            r"\b0x[0-9a-f]{40}\b",
            r"\baddr1[0-9a-z]{40,}",
            r"\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b",
        ),
    ),
)
