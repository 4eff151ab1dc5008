"""Envelopes: what was sealed opens in its place, and each way of moving or altering it is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import VaultError
from sfumato.vault import envelope
from sfumato.vault.envelope import OVERHEAD, Place, context_of, open_sealed, seal

KEY = bytes(range(32))
PLACE = Place(key_id=b"k" * 16, segment=b"s" * 16, index=7)
CONTEXT = context_of("raw segment", "ds", "2026-03", "raw")


@given(st.binary(max_size=3000), st.integers(0, 2**64 - 1))
def test_what_was_sealed_opens_and_costs_94_bytes(plaintext, index):
    place = replace(PLACE, index=index)
    blob = seal(KEY, place, plaintext, context=CONTEXT)
    assert len(blob) == len(plaintext) + OVERHEAD
    assert open_sealed(KEY, place, blob, context=CONTEXT) == plaintext


def test_the_derivation_is_hkdf_expand():
    """Our one-block expansions, at once and from a copied HMAC, against the library's."""
    sealer = envelope.Sealer(KEY, key_id=PLACE.key_id, segment=PLACE.segment, context=CONTEXT)
    blob = seal(KEY, PLACE, b"text", context=CONTEXT)
    info = b"sfumato envelope 1 " + blob[:46]
    expected = HKDFExpand(algorithm=SHA512(), length=64, info=info).derive(KEY)
    assert sealer._expand(PLACE.index.to_bytes(8, "big")) == expected
    assert blob[46:78] == expected[32:]
    assert AESGCM(expected[:32]).decrypt(expected[32:44], blob[78:], blob[:46] + CONTEXT) == b"text"
    assert sealer.seal(PLACE.index, b"text") == blob


def test_records_sealed_together_are_those_sealed_one_by_one():
    keys, texts = [bytes([n]) * 32 for n in range(5)], [bytes(n) for n in range(5)]
    places = [replace(PLACE, index=PLACE.index + n) for n in range(5)]
    alone = [seal(*one, context=CONTEXT) for one in zip(keys, places, texts, strict=True)]
    assert envelope.seal_together(keys, texts, PLACE, context=CONTEXT) == alone


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": 8}, "out of its place"),
        ({"segment": b"t" * 16}, "another segment"),
        ({"key_id": b"l" * 16}, "another key"),
    ],
)
def test_a_record_does_not_open_in_another_place(change, words):
    blob = seal(KEY, PLACE, b"text", context=CONTEXT)
    with pytest.raises(VaultError, match=words):
        open_sealed(KEY, replace(PLACE, **change), blob, context=CONTEXT)


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (0, "no sealed record"),
        (4, "has version 0"),
        (5, "algorithm 0"),
        (6, "another key"),
        (22, "another segment"),
        (45, "out of its place"),
        (46, "does not commit"),
        (77, "does not commit"),
        (78, "fails its check"),
        (-1, "fails its check"),
    ],
)
def test_each_altered_part_is_refused_by_name(position, words):
    blob = bytearray(seal(KEY, PLACE, b"text", context=CONTEXT))
    blob[position] ^= 1
    with pytest.raises(VaultError, match=words):
        open_sealed(KEY, PLACE, bytes(blob), context=CONTEXT)


def test_a_relabelled_header_does_not_open_where_it_now_says():
    """Rewriting the index in the clear header to fit the new place is no way round."""
    other = replace(PLACE, index=8)
    blob = seal(KEY, PLACE, b"text", context=CONTEXT)
    header = seal(KEY, other, b"", context=CONTEXT)[:46]
    with pytest.raises(VaultError, match="does not commit"):
        open_sealed(KEY, other, header + blob[46:], context=CONTEXT)


def test_another_keys_bytes_are_refused_before_decryption():
    blob = seal(KEY, PLACE, b"text", context=CONTEXT)
    with pytest.raises(VaultError, match="does not commit"):
        open_sealed(bytes(32), PLACE, blob, context=CONTEXT)


def test_another_dataset_epoch_or_purpose_is_refused():
    blob = seal(KEY, PLACE, b"text", context=CONTEXT)
    for context in (
        context_of("derived batches", "ds", "2026-03", "raw"),
        context_of("raw segment", "ds2", "2026-03", "raw"),
        context_of("raw segment", "ds", "2026-04", "raw"),
        CONTEXT + b"x",
    ):
        with pytest.raises(VaultError, match="fails its check"):
            open_sealed(KEY, PLACE, blob, context=context)


@pytest.mark.parametrize("length", [0, 1, 45, 46, 77, 78, 93])
def test_a_short_blob_is_truncated(length):
    with pytest.raises(VaultError, match="truncated"):
        open_sealed(KEY, PLACE, seal(KEY, PLACE, b"text", context=CONTEXT)[:length], context=CONTEXT)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:94]])
def test_a_cut_or_prolonged_ciphertext_fails_its_check(change):
    with pytest.raises(VaultError, match="fails its check"):
        open_sealed(KEY, PLACE, change(seal(KEY, PLACE, b"text", context=CONTEXT)), context=CONTEXT)


def test_each_place_has_its_own_key_stream():
    """Equal plaintexts give unrelated ciphertexts: no nonce is shared between places."""
    bodies = {seal(KEY, replace(PLACE, index=i), bytes(64), context=CONTEXT)[78:] for i in range(100)}
    assert len({body[:16] for body in bodies}) == 100


def test_context_parts_do_not_run_into_each_other():
    assert context_of("ab", "c") != context_of("a", "bc")
    assert context_of("a", "") != context_of("a")


def test_an_empty_context_a_short_key_and_a_wrong_id_are_programming_errors():
    with pytest.raises(ValueError, match="context"):
        seal(KEY, PLACE, b"", context=b"")
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"k", PLACE, b"", context=CONTEXT)
    for wrong in ({"key_id": b"x"}, {"segment": b""}, {"index": -1}, {"index": 2**64}):
        with pytest.raises(ValueError, match="16 bytes"):
            replace(PLACE, **wrong)


def test_no_message_holds_content():
    blob = bytearray(seal(KEY, PLACE, b"a secret sentence", context=CONTEXT))
    blob[-1] ^= 1
    with pytest.raises(VaultError) as caught:
        open_sealed(KEY, PLACE, bytes(blob), context=CONTEXT)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
