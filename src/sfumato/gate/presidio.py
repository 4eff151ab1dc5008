"""Presidio's recognisers as one more detector, where a rubric asks for them: names that no rule can find."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sfumato.errors import ModelUnavailable
from sfumato.gate.detectors.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = "presidio"
ENTITIES: Sequence[str] = ("PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN")
SCORE = 0.6
"""The least confidence that denies: presidio's own scale, 0 to 1."""


def detector(*, language: str = "en") -> Detector:
    """A detector that asks presidio. It loads its language model now, so that a missing one shows before a release.

    Raises:
        ModelUnavailable: presidio or its language model is not installed.
    """
    try:
        engine = importlib.import_module("presidio_analyzer").AnalyzerEngine()
    except (ImportError, OSError, SystemExit):
        raise ModelUnavailable(
            "the rubric asks for presidio, which is not installed: pip install presidio-analyzer and its spaCy model, "
            "or set presidio: false"
        ) from None
    return Detector(
        rule=RULE,
        finds=lambda text: bool(
            engine.analyze(text=text, entities=list(ENTITIES), language=language, score_threshold=SCORE)
        ),
    )
