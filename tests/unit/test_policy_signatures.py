"""Signatures of policies: what ships runs, what demands one is refused without it, and any change loses it."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.policy.load import builtin_names, builtin_path, digest, load
from sfumato.policy.sign import SHIPPED, admitted, signature_path, standing, trusted_keys

CHILD = "apiVersion: sfumato/v1\nkind: PrivacyPolicy\nextends: strict\nmetadata: {name: mine}\n"


def run(*arguments: object):
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


@pytest.fixture
def key(tmp_path):
    made = json.loads(run("keygen", "--key", tmp_path / "approver.pem", "--json").stdout)
    (tmp_path / "trusted").write_text(f"# who may approve\n{made['public_key']} the privacy officer\n")
    return tmp_path / "approver.pem"


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(CHILD)
    return path


def sign(path, key):
    assert run("sign", path, "--key", key).exit_code == 0


def test_the_pinned_hashes_are_those_of_the_policies_that_ship():
    """Whoever changes a built-in policy, or adds one, writes its hash into `SHIPPED` (sfumato/policy/sign.py)."""
    found = {name: hashlib.sha256(builtin_path(name).read_bytes()).hexdigest() for name in builtin_names()}
    assert found == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_what_ships_runs_unsigned_by_name_and_by_path_even_where_keys_are_configured(name, tmp_path, key):
    for trusted in (None, tmp_path / "trusted"):
        assert digest(admitted(name, trusted)) == digest(load(builtin_path(name)))
        assert admitted(str(builtin_path(name)), trusted).metadata.name == name
    shutil.copy(builtin_path(name), tmp_path / "copy.yaml")
    assert admitted(str(tmp_path / "copy.yaml"), None).metadata.name == name


def test_a_changed_copy_of_strict_is_refused_with_how_to_sign_it(tmp_path):
    copy = tmp_path / "strict.yaml"
    copy.write_text(builtin_path("strict").read_text().replace("epsilon: 1.0", "epsilon: 0.9"))
    with pytest.raises(Refused, match=r"sfumato policy sign .*strict.yaml --key FILE") as refused:
        admitted(str(copy), None)
    assert "\n" not in str(refused.value)


def test_a_built_in_policy_that_was_edited_where_it_lies_no_longer_counts_as_shipped(tmp_path, monkeypatch):
    """Neither strict itself, nor when standard, which it extends, was edited."""
    as_shipped = builtin_path("strict").parent
    for edited in ("strict", "standard"):
        folder = tmp_path / edited
        shutil.copytree(as_shipped, folder)
        monkeypatch.setattr("sfumato.policy.load._builtin_folder", lambda folder=folder: folder)
        assert admitted("strict", None).signature_required
        with (folder / f"{edited}.yaml").open("a") as file:
            file.write("# edited\n")
        with pytest.raises(Refused):
            admitted("strict", None)


def test_a_policy_that_demands_a_signature_runs_with_a_trusted_one_and_not_without(tmp_path, mine, key):
    with pytest.raises(Refused, match="must be signed and is not"):
        admitted(str(mine), tmp_path / "trusted")
    sign(mine, key)
    assert admitted(str(mine), tmp_path / "trusted").metadata.name == "mine"
    with pytest.raises(Refused, match="no key is trusted here"):
        admitted(str(mine), None)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    (tmp_path / "others").write_text(other)
    with pytest.raises(Refused, match="which is not trusted here"):
        admitted(str(mine), tmp_path / "others")


def test_a_signature_falls_with_any_change_of_the_policy_or_of_what_it_extends(tmp_path, mine, key):
    (tmp_path / "parent.yaml").write_text(CHILD.replace("mine", "parent"))
    mine.write_text(CHILD.replace("strict", "parent.yaml"))
    sign(mine, key)
    mine.write_text(mine.read_text() + "# a comment changes nothing\n")
    assert admitted(str(mine), tmp_path / "trusted").signature_required
    (tmp_path / "parent.yaml").write_text(CHILD.replace("mine", "parent") + "thresholds: {min_users: 300}\n")
    with pytest.raises(Refused, match="not the signature of this policy"):
        admitted(str(mine), tmp_path / "trusted")


def test_where_keys_are_configured_every_policy_of_ones_own_must_be_signed(tmp_path, mine, key):
    mine.write_text(CHILD.replace("strict", "standard"))
    assert admitted(str(mine), None).metadata.name == "mine"
    with pytest.raises(Refused, match="must be signed"):
        admitted(str(mine), tmp_path / "trusted")
    sign(mine, key)
    assert admitted(str(mine), tmp_path / "trusted").metadata.name == "mine"


def test_a_signature_that_does_not_hold_is_refused_even_where_none_is_demanded(tmp_path, mine, key):
    mine.write_text(CHILD.replace("strict", "standard"))
    sign(mine, key)
    mine.write_text(CHILD.replace("strict", "standard") + "thresholds: {min_users: 60}\n")
    with pytest.raises(Refused, match="not the signature of this policy"):
        admitted(str(mine), None)


def test_another_policys_signature_does_not_pass(tmp_path, mine, key):
    other = tmp_path / "other.yaml"
    other.write_text(CHILD + "thresholds: {min_users: 500}\n")
    sign(other, key)
    shutil.copy(signature_path(other), signature_path(mine))
    with pytest.raises(Refused):
        admitted(str(mine), tmp_path / "trusted")


@pytest.mark.parametrize("part", ["policy_digest", "key_id"])
def test_what_a_signature_file_says_of_itself_is_not_believed(tmp_path, mine, key, part):
    """The digest that counts is the policy's, the key that counts is the one that the value verifies under."""
    sign(mine, key)
    beside = signature_path(mine)
    block = json.loads(beside.read_text())
    beside.write_text(json.dumps(block | {part: "0" * len(block[part])}))
    found = standing(load(mine), mine, trusted_keys(tmp_path / "trusted"))
    assert (found.trusted, found.key) == (True, block["key_id"])


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{}", b"[1]", b"x" * 70_000, b'{"format": "sfumato.policy-signature/2"}'],
    ids=["empty", "not text", "empty object", "list", "huge", "another format"],
)
def test_what_lies_beside_a_policy_and_is_no_signature_gets_one_line(mine, content):
    signature_path(mine).write_bytes(content)
    with pytest.raises(InputError) as refused:
        admitted(str(mine), None)
    assert "\n" not in str(refused.value)


def test_a_value_that_is_not_of_these_bytes_is_no_signature(mine, key):
    sign(mine, key)
    block = json.loads(signature_path(mine).read_text())
    flipped = ("0" if block["value"][0] != "0" else "1") + block["value"][1:]
    signature_path(mine).write_text(json.dumps(block | {"value": flipped}))
    with pytest.raises(Refused):
        admitted(str(mine), None)


@pytest.mark.parametrize("text", ["", "# nobody\n", "abc\n", "0" * 63 + "\n"])
def test_a_file_of_keys_without_a_sound_key_is_an_error(tmp_path, text):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(InputError):
        trusted_keys(tmp_path / "keys")


def test_verify_signature_says_who_and_by_its_exit_code_whether_they_are_trusted(tmp_path, mine, key):
    trusted = ("--trusted-keys", tmp_path / "trusted")
    assert isinstance(run("verify-signature", mine, *trusted).exception, Refused)
    sign(mine, key)
    assert "which is trusted" in run("verify-signature", mine, *trusted).stdout
    assert isinstance(run("verify-signature", mine).exception, Refused)
    assert json.loads(run("verify-signature", "strict", "--json").stdout)["shipped"] is True


def test_a_private_key_is_made_once_for_its_owner_alone_and_read_only_if_it_stayed_so(tmp_path, mine, key):
    assert key.stat().st_mode & 0o777 == 0o600
    assert isinstance(run("keygen", "--key", key).exception, KeyMissing)
    key.chmod(0o644)
    assert isinstance(run("sign", mine, "--key", key).exception, KeyMissing)
    assert isinstance(run("sign", mine, "--key", tmp_path / "nowhere").exception, KeyMissing)


def test_only_an_ed25519_key_signs(tmp_path, mine, key):
    from cryptography.hazmat.primitives.asymmetric import ec

    odd = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (odd, b"not a key"):
        key.write_bytes(content)
        assert isinstance(run("sign", mine, "--key", key).exception, InputError)
