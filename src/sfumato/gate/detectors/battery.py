"""All detectors in the order they are asked, and the verdict of the first that finds something.

A second line of defence in formal mode, where released phrases have already passed user-level partition selection:
what looks like an identifier is not published even when many users wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.gate.detectors import contact, injection, machine, national, numbers, person, place, wallet
from sfumato.gate.detectors.detector import Detector, folded, hides_something

if TYPE_CHECKING:
    from collections.abc import Collection

HIDDEN_RULE = "control_characters"
LONG_RULE = "too_long"
LONGEST = 2000
"""Characters: no name or description is longer, and a rule's time grows with the text."""

DETECTORS: tuple[Detector, ...] = (
    *contact.DETECTORS,
    *wallet.DETECTORS,
    *machine.DETECTORS,
    *(one for one in numbers.DETECTORS if one.rule in {"card_number", "iban", "bank_account"}),
    *national.DETECTORS,
    *place.DETECTORS,
    *(one for one in numbers.DETECTORS if one.rule in {"phone", "long_number"}),
    *person.DETECTORS,
    *injection.DETECTORS,
)
RULES: frozenset[str] = frozenset({HIDDEN_RULE, LONG_RULE, *(detector.rule for detector in DETECTORS)})


def judge(text: str, *, rules: Collection[str] | None = None) -> str | None:
    """The rule that forbids publishing this string, or None. rules: only these are asked; left out, all."""
    if len(text) > LONGEST:
        return LONG_RULE
    if hides_something(text) and (rules is None or HIDDEN_RULE in rules):
        return HIDDEN_RULE
    plain = folded(text)
    digits = sum("0" <= char <= "9" for char in plain)
    for detector in DETECTORS:
        if digits >= detector.digits and (rules is None or detector.rule in rules) and detector.finds(plain):
            return detector.rule
    return None
