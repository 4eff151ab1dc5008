"""Version 1 of root key, derived keys and epoch key files is frozen: what a deployment has opens for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfumato.vault import deployment, wrapped
from sfumato.vault.keys import PURPOSES, RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.names import context

GOLDEN = json.loads(Path(__file__).with_name("keys_v1.json").read_text())
ROOT = RootKey.parse(GOLDEN["root_key_file"].encode(), origin="golden")


def test_a_root_key_file_derives_what_it_always_did(tmp_path):
    assert set(GOLDEN["derived"]) <= set(PURPOSES)
    for secrets in (ROOT, deployment.secrets(tmp_path / "none", ROOT)):
        assert {name: secrets.derive(name).hex() for name in GOLDEN["derived"]} == GOLDEN["derived"]


def test_a_root_key_file_is_written_as_it_always_was():
    assert ROOT.line().decode() == GOLDEN["root_key_file"]


@pytest.mark.parametrize("case", GOLDEN["epoch_keys"], ids=["raw", "derived", "odd names"])
def test_an_epoch_key_file_opens_and_is_written_alike(tmp_path, case):
    path = tmp_path / case["file"]
    path.write_bytes(bytes.fromhex(case["content"]))
    name = (case["dataset"], case["part"], case["zone"])
    key = EpochKeys(tmp_path, ROOT).open(*name)
    assert (key.id.hex(), key.secret.hex(), key.fingerprint()) == (case["id"], case["secret"], case["fingerprint"])
    assert list(EpochKeys(tmp_path, ROOT).held()) == [name]
    found = wrapped.read(path)
    assert found.content().hex() == case["content"]
    assert ROOT.wrap(key.secret, context(name, key.id)) == found.blob


def test_a_new_key_of_a_key_file_that_was_never_rotated_is_of_version_1(tmp_path):
    """So a deployment may go back to the program it had before."""
    EpochKeys(tmp_path, ROOT).create("ds", "2026-03", "raw")
    (path,) = tmp_path.iterdir()
    assert path.read_bytes().startswith(wrapped.FIRST)
    assert path.stat().st_size == wrapped.FIRST_BYTES == len(bytes.fromhex(GOLDEN["epoch_keys"][0]["content"]))


def test_a_rotated_store_opens_under_its_second_root_key_and_derives_what_the_first_did(tmp_path):
    rotated = GOLDEN["rotated"]
    second = RootKey.parse(rotated["root_key_file"].encode(), origin="golden")
    for name, content in rotated["files"].items():
        (tmp_path / name).write_bytes(bytes.fromhex(content))
    assert second.id == rotated["root_id"]
    keys = EpochKeys(tmp_path, second)
    found = {f"{d}@{p}@{z}.key": keys.open(d, p, z).secret.hex() for d, p, z in keys.held()}
    assert found == rotated["secrets"]
    secrets = deployment.secrets(tmp_path, second)
    assert {name: secrets.derive(name).hex() for name in GOLDEN["derived"]} == GOLDEN["derived"]
    assert [keys.made(*name) for name in keys.held()] == [1_790_000_000, 1_795_000_000]


def test_a_deployment_secret_derives_what_it_always_did():
    secret = deployment.DeploymentSecret.parse(GOLDEN["seeded"]["plaintext"].encode())
    assert {name: secret.derive(name).hex() for name in GOLDEN["seeded"]["derived"]} == GOLDEN["seeded"]["derived"]
    assert secret.plaintext().decode() == GOLDEN["seeded"]["plaintext"]
