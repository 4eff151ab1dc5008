"""The release document: nothing is lost on the way, nothing lax is let in, and version 1 is readable for ever."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from releases import KEY, OTHER_KEY, guarantee, mechanism, sample
from sfumato.errors import InputError
from sfumato.model.document import decode, encode, identified, release_id
from sfumato.model.signature import key_id, read_public_key, sign, verify
from sfumato.model.strict_json import canonical_parts, dumps, joined, loads

GOLDEN = Path(__file__).parents[1] / "golden" / "release_v1.json"


def test_a_release_survives_the_way_to_bytes_and_back():
    release = sample()
    assert decode(loads(dumps(encode(release)))) == release


def test_the_bytes_do_not_depend_on_the_order_of_keys():
    document = encode(sample())
    assert dumps(dict(reversed(document.items()))) == dumps(document)


def test_version_1_decodes_for_ever():
    """The golden file is never written again: whoever holds such a release must always be able to read and check it."""
    raw = GOLDEN.read_bytes()
    document = loads(raw)
    assert dumps(document) == raw
    verify(document, KEY.public_key())
    assert decode(document) == sample()


def test_charges_stand_in_the_document_as_exact_decimals():
    charges = (1, 999_999_999, 123_456_789_012_345)
    for rho in charges:
        release = identified(replace(sample(), guarantee=guarantee(rho=rho, mechanisms=(mechanism("one", rho),))))
        assert decode(loads(dumps(encode(release)))) == release


def test_large_floats_survive_although_canonical_json_writes_them_without_a_point():
    wide = guarantee(mechanisms=(mechanism("sums", 1, sigma=3.0e18, l2=2.0**70),))
    release = identified(replace(sample(), guarantee=wide))
    raw = dumps(encode(release))
    assert dumps(loads(raw)) == raw
    assert decode(loads(raw)) == release


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 2**53])
def test_a_number_that_json_cannot_carry_is_refused(number):
    bounds = {"topics_per_user": number}
    with pytest.raises(InputError, match="can't carry"):
        encode(replace(sample(), guarantee=guarantee(bounds=bounds)))


CHANGES = {
    "/dataset": 7,
    "/epoch": None,
    "/id": "rel_1",
    "/created": "2025-07-01T04:00:00",
    "/policy": [],
    "/guarantee/mode": "informal",
    "/guarantee/unit": "household",
    "/guarantee/epsilon": "1.4",
    "/guarantee/delta": -0.1,
    "/guarantee/rho": 0.0000000001,
    "/guarantee/bounds/topics_per_user": 1.5,
    "/guarantee/mechanisms/0/mechanism": "laplace",
    "/guarantee/mechanisms/0/share": 0.9,
    "/guarantee/mechanisms/1/values": True,
    "/totals/users/value": -1,
    "/facets/language/0/users/low": "2",
    "/topics/0/level": -1,
    "/topics/1/id": "../../etc/passwd",
    "/topics/1/phrases/0/text": 3,
    "/topics/1/parent": "t002",
    "/topics/2/map/x": False,
    "/audit/0/allowed": 1,
}


def changed(pointer: str, value: object) -> dict:
    document = json.loads(dumps(encode(sample())))
    *way, last = pointer.split("/")[1:]
    place = document
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return document


@pytest.mark.parametrize(("pointer", "value"), CHANGES.items())
def test_a_wrong_value_is_refused_by_the_name_of_its_place_and_is_not_repeated(pointer, value):
    with pytest.raises(InputError) as caught:
        decode(changed(pointer, value))
    assert any(place in str(caught.value) for place in (pointer, pointer.rpartition("/")[0]))
    assert "passwd" not in str(caught.value)


def _paths(value: object, pointer: str = "") -> list[tuple[str, str]]:
    """Every (pointer of an object with fixed keys, key)."""
    free = ("bounds", "facets")
    if isinstance(value, dict):
        own = [] if pointer.endswith(free) else [(pointer, key) for key in value]
        return own + [path for key, below in value.items() for path in _paths(below, f"{pointer}/{key}")]
    if isinstance(value, list) and value:
        return _paths(value[0], f"{pointer}/0")
    return []


@pytest.mark.parametrize(("pointer", "key"), _paths(encode(sample())))
def test_no_key_may_be_missing_and_none_may_be_added(pointer, key):
    for edit in (lambda place: place.pop(key), lambda place: place.update(extra=1)):
        document = copy.deepcopy(encode(sample()))
        place = document
        for step in pointer.split("/")[1:]:
            place = place[int(step) if isinstance(place, list) else step]
        edit(place)
        with pytest.raises(InputError):
            decode(document)


def test_another_format_is_refused():
    with pytest.raises(InputError, match="format"):
        decode({**encode(sample()), "format": "sfumato.release/2"})


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":1e999}', b"[" * 100_000, b'{"a":-Infinity}'],
)
def test_what_is_not_strict_json_is_our_error(raw):
    with pytest.raises(InputError):
        loads(raw)


def test_parts_joined_again_are_the_canonical_document():
    """Key order is by UTF-16 code units, where an emoji sorts before a full-width letter."""
    document = {**encode(sample()), "\uff21": 1, "\U0001f600": 2, 'a"b': None, "": [1.0, {"b": 1, "a": 2}]}
    assert joined(canonical_parts(document)) == dumps(document)
    assert joined({}) == dumps({})


def test_the_id_follows_from_the_content_alone():
    release = sample()
    document = encode(release)
    assert release.id == release_id(document) == release_id(sign({**document, "id": "x"}, KEY))
    assert release_id({**document, "epoch": "2025-07"}) != release.id


def test_two_topics_of_one_id_are_refused():
    document = encode(sample())
    document["topics"].append(document["topics"][0])
    with pytest.raises(InputError, match="/topics"):
        decode(document)


def test_a_free_key_cannot_smuggle_control_characters_into_the_message():
    with pytest.raises(InputError) as caught:
        decode(changed("/facets/\x1b[31mred\u202e", "not a list"))
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_key_ids_are_short_names_of_keys():
    assert key_id(KEY.public_key()) != key_id(OTHER_KEY.public_key())
    assert read_public_key(KEY.public_key().public_bytes_raw().hex()) == KEY.public_key()
