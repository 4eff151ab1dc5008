"""The signature covers every value of the document, and only the pinned key's counts."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from releases import KEY, OTHER_KEY, sample
from sfumato.errors import InputError
from sfumato.model.document import encode, release_id
from sfumato.model.signature import key_id, read_public_key, sign, verify
from sfumato.model.strict_json import dumps, loads


def signed() -> dict:
    return loads(dumps(sign(encode(sample()), KEY)))


def leaves(value: object) -> list[tuple[object, object]]:
    """Every (container, key) whose value is not a container."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, below in pairs:
        found += leaves(below) if isinstance(below, dict | list) else [(value, key)]
    return found


def test_a_signed_release_verifies_with_and_without_a_pinned_key():
    assert verify(signed(), KEY.public_key()) == verify(signed(), None) == KEY.public_key()


def test_any_single_changed_value_is_noticed():
    """Each value in turn, the signature's own fields included."""
    count = len(leaves(signed()))
    assert count > 300
    for number in range(count):
        document = signed()
        place, key = leaves(document)[number]
        place[key] = "0" if place[key] != "0" else "1"
        with pytest.raises(InputError):
            verify(document, KEY.public_key())


def test_a_release_signed_by_somebody_else_is_refused():
    with pytest.raises(InputError, match="another key"):
        verify(sign(encode(sample()), OTHER_KEY), KEY.public_key())


def test_a_public_key_swapped_in_does_not_help():
    document = signed()
    other = sign(document, OTHER_KEY)["signature"]
    document["signature"] |= {"public_key": other["public_key"], "key_id": other["key_id"]}
    with pytest.raises(InputError, match="changed"):
        verify(document, None)


def test_an_unsigned_release_is_refused():
    with pytest.raises(InputError, match="not signed"):
        verify(encode(sample()), None)


def test_an_id_that_is_not_the_contents_is_refused_even_when_signed():
    document = encode(sample()) | {"id": "rel_" + "0" * 20}
    with pytest.raises(InputError, match="id"):
        verify(sign(document, KEY), KEY.public_key())


def test_signing_again_replaces_the_signature():
    again = sign(signed(), OTHER_KEY)
    assert verify(again, OTHER_KEY.public_key()) == OTHER_KEY.public_key()
    assert again["id"] == release_id(again)


def test_the_key_id_is_the_start_of_the_keys_hash():
    raw = KEY.public_key().public_bytes_raw()
    assert key_id(KEY.public_key()) == hashlib.sha256(raw).hexdigest()[:16] == signed()["signature"]["key_id"]


def pem(key: object) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_public_keys_are_read_from_hexadecimal_and_pem():
    public = KEY.public_key()
    assert read_public_key(public.public_bytes_raw().hex() + "\n") == read_public_key(pem(public)) == public


@pytest.mark.parametrize(
    "text", ["", "abc", "g" * 64, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "é" * 64]
)
def test_what_is_no_public_key_is_our_error(text):
    with pytest.raises(InputError, match="public key"):
        read_public_key(text)


def test_a_key_of_another_kind_is_our_error():
    with pytest.raises(InputError, match="public key"):
        read_public_key(pem(generate_private_key(SECP256R1()).public_key()))
