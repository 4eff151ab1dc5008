"""Version 1 of the envelope is frozen: what it sealed once opens for ever, and it seals the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfumato.vault.envelope import Place, open_sealed, seal

CASES = json.loads(Path(__file__).with_name("envelope_v1.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_sealed_record_of_version_1_opens_and_seals_alike(case):
    key, plaintext, context, sealed = (bytes.fromhex(case[name]) for name in ("key", "plaintext", "context", "sealed"))
    place = Place(key_id=bytes.fromhex(case["key_id"]), segment=bytes.fromhex(case["segment"]), index=case["index"])
    assert open_sealed(key, place, sealed, context=context) == plaintext
    assert seal(key, place, plaintext, context=context) == sealed


def test_the_vectors_are_all_there():
    """Vectors are added, never taken away or rewritten."""
    assert {"empty", "short", "unicode", "largest index", "a kilobyte"} <= {case["name"] for case in CASES}
