"""Version 1 of people's keys is frozen: what one of them sealed opens for ever, and who was cut stays cut."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

from sfumato.vault.people import People

GOLDEN = json.loads(Path(__file__).with_name("people_v1.json").read_text())


def test_people_have_the_keys_they_always_had():
    found = People.under(bytes.fromhex(GOLDEN["secret"]))
    assert found.index.hex() == GOLDEN["index"]
    assert {person: found.key_of(bytes.fromhex(person)).hex() for person in GOLDEN["people"]} == GOLDEN["people"]


def test_what_is_kept_of_a_cut_is_what_it_always_was():
    left = People.under(bytes.fromhex(GOLDEN["secret"])).without(bytes.fromhex(GOLDEN["cut"]))
    assert blake2b(left.plaintext()).hexdigest() == GOLDEN["left"]
    assert People.parse(left.plaintext()).key_of(bytes.fromhex(GOLDEN["cut"])) is None
