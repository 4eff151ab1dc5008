"""Whatever bytes lie in the key store, and whatever text names a root key: a value comes out, or an error of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.adapters.kms_names import KeyName
from sfumato.errors import InputError, KeyMissing, VaultError
from sfumato.vault import wrapped
from sfumato.vault.deployment import DeploymentSecret
from sfumato.vault.keys import FILE_BYTES, PREFIX, RootKey

MAGICS = st.sampled_from([wrapped.FIRST, wrapped.EPOCH_KEY, wrapped.DEPLOYMENT, b""])


def outcome(call, error):
    """(value, "") or (None, what the error says); any other error fails the test."""
    try:
        return call(), ""
    except error as failure:
        return None, str(failure)


@given(magic=MAGICS, rest=st.binary(max_size=300))
def test_a_key_files_bytes_are_a_value_that_writes_them_again_or_damaged(magic, rest):
    found, said = outcome(lambda: wrapped.parse(magic + rest, written=7, name="x"), VaultError)
    assert said in {"", "x in the key store is damaged"}
    assert said or found.content() == magic + rest


@given(
    key_id=st.binary(min_size=16, max_size=16),
    made=st.integers(0, 2**40),
    root=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200),
    blob=st.binary(min_size=1, max_size=4000),
    magic=st.sampled_from([wrapped.EPOCH_KEY, wrapped.DEPLOYMENT]),
)
def test_what_is_written_is_read_again(key_id, made, root, blob, magic):
    value = wrapped.Wrapped(id=key_id, root=root, made=made, blob=blob, magic=magic)
    assert wrapped.parse(value.content(), written=0, name="x") == value


@given(plaintext=st.one_of(st.binary(max_size=100), st.text(max_size=100).map(str.encode)))
def test_a_deployment_secret_is_read_or_refused(plaintext):
    with pytest.raises(VaultError, match="not of version 1"):
        DeploymentSecret.parse(plaintext)


@pytest.mark.parametrize(
    "plaintext",
    [
        b'{"format": "sfumato.deployment/1", "seed": "00", "fixed": {}}',
        b'{"format": "sfumato.deployment/2", "seed": "%s", "fixed": {}}' % (b"00" * 32),
        b'{"format": "sfumato.deployment/1", "seed": "%s", "fixed": []}' % (b"00" * 32),
        b'{"format": "sfumato.deployment/1", "seed": "%s", "fixed": {"pseudonyms": "00"}}' % (b"00" * 32),
        b'{"format": "sfumato.deployment/1", "seed": 1, "fixed": {}}',
        b"[" * 100_000,
    ],
    ids=["short seed", "other version", "list", "short key", "number", "deep"],
)
def test_a_deployment_secret_of_another_form_is_refused(plaintext):
    with pytest.raises(VaultError, match="not of version 1"):
        DeploymentSecret.parse(plaintext)


@given(line=st.one_of(st.binary(max_size=FILE_BYTES + 5), st.binary(max_size=60).map(PREFIX.__add__)))
def test_a_root_keys_line_is_read_or_refused_without_repeating_it(line):
    _, said = outcome(lambda: RootKey.parse(line, origin="here"), KeyMissing)
    assert said in {"", "here is no root key file of version 1"}


@given(
    text=st.one_of(
        st.text(max_size=60),
        st.tuples(
            st.sampled_from(["file:", "credential:", "keyring:", "aws-kms://", "gcp-kms://", "vault-transit://"]),
            st.text(max_size=40),
        ).map("".join),
    )
)
def test_a_name_is_parsed_or_refused_in_one_line(text):
    found, said = outcome(lambda: KeyName.parse(text), InputError)
    assert len(said.splitlines()) == (found is None)
    assert found is None or (found.rest and text == found.kind + text[len(found.kind) : -len(found.rest)] + found.rest)
