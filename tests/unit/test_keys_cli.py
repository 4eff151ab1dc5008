"""The `keys` commands: begin, rotate, look; what they print is enough to go on from and never a key."""

from __future__ import annotations

import json
import os

import pytest
import typer
from typer.testing import CliRunner

import key_services
from sfumato.adapters import kms_names
from sfumato.cli.keys import group
from sfumato.errors import InputError, KeyMissing, VaultError
from sfumato.vault import deployment
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys

APP = typer.Typer()
APP.add_typer(group)
REMOTE = "vault-transit+http://127.0.0.1:{}/transit/root"


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name in ("SFUMATO_KEY", "SFUMATO_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_TOKEN", key_services.TOKEN)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def old(tmp_path, data):
    """A key file whose deployment has two keys of 2023."""
    RootKey.create(tmp_path / "old.key")
    keys = EpochKeys(data / "keystore", RootKey.load(tmp_path / "old.key", data=data))
    for zone in ("raw", "derived"):
        keys.create("ds", "2026-03", zone)
    for path in (data / "keystore").iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path / "old.key"


@pytest.fixture
def service():
    with key_services.key_service() as running:
        yield running


def run(*words):
    result = CliRunner().invoke(APP, ["keys", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def status(data, *words):
    return json.loads(run("status", "--data", data, "--json", *words))


def test_a_store_moves_from_a_key_file_to_a_key_service_and_back(data, old, service, tmp_path):
    remote = REMOTE.format(service.port)
    secret = EpochKeys(data / "keystore", RootKey.load(old, data=data)).open("ds", "2026-03", "raw").secret
    text = run("rotate", "--data", data, "--key-file", old, "--to", remote)
    assert "2 epoch keys moved, 0 there before; all are under vault-transit:transit/root" in " ".join(text.split())
    assert status(data, "--check", "--key", remote)["closed"] == []
    RootKey.create(tmp_path / "new.key")
    done = json.loads(run("rotate", "--data", data, "--key", remote, "--to", f"file:{tmp_path}/new.key", "--json"))
    assert (done["moved"], done["already"]) == (2, 0)
    found = status(data, "--check", "--key-file", tmp_path / "new.key")
    assert (found["root"], found["half_rotated"], found["closed"]) == (done["root"], False, [])
    new = RootKey.load(tmp_path / "new.key", data=data)
    assert EpochKeys(data / "keystore", new).open("ds", "2026-03", "raw").secret == secret


def test_status_says_what_is_half_rotated_and_what_does_not_open(data, old, tmp_path):
    before = (data / "keystore" / "ds@2026-03@raw.key").read_bytes()
    RootKey.create(tmp_path / "new.key")
    run("rotate", "--data", data, "--key-file", old, "--to", f"file:{tmp_path}/new.key")
    (data / "keystore" / "ds@2026-03@raw.key").write_bytes(before)
    found = status(data)
    assert found["half_rotated"]
    assert [key["state"] for key in found["keys"]] == ["good", "under another root key"]
    assert "half rotated: 1 still under root-key; run `sfumato keys rotate` again" in run("status", "--data", data)
    with pytest.raises(InputError, match="not every key opens"):
        run("status", "--data", data, "--check", "--key-file", tmp_path / "new.key")
    run("rotate", "--data", data, "--key-file", old, "--to", f"file:{tmp_path}/new.key")
    assert "every key opens" in run("status", "--data", data, "--check", "--key-file", tmp_path / "new.key")


def test_the_list_of_epoch_keys_has_age_provider_and_id_and_no_key(data, old):
    keys = EpochKeys(data / "keystore", RootKey.load(old, data=data))
    rows = json.loads(run("list", "--data", data, "--epochs", "--json"))
    assert [(row["dataset"], row["part"], row["zone"]) for row in rows] == [
        ("ds", "2026-03", "derived"),
        ("ds", "2026-03", "raw"),
    ]
    key = keys.open("ds", "2026-03", "raw")
    assert (rows[1]["provider"], rows[1]["key_id"], rows[1]["made"]) == (
        "root-key",
        key.id.hex(),
        "2023-11-14T22:13:20Z",
    )
    assert rows[1]["age_days"] > 900
    assert key.secret.hex() not in json.dumps(rows)
    assert "root-key" in run("list", "--data", data, "--epochs")


def test_a_key_service_is_begun_with_a_deployment_secret_once(data, service):
    remote = REMOTE.format(service.port)
    assert json.loads(run("init", "--key", remote, "--data", data, "--json")) == {"root": "vault-transit:transit/root"}
    content = (data / "keystore" / deployment.NAME).read_bytes()
    run("init", "--key", remote, "--data", data)
    assert (data / "keystore" / deployment.NAME).read_bytes() == content
    root = kms_names.opened(remote, data=data, environment=os.environ)
    assert EpochKeys(data / "keystore", root).create("ds", "2026-03", "raw")


def test_a_key_service_needs_to_know_the_data_directory(service):
    with pytest.raises(InputError, match="--data"):
        run("init", "--key", REMOTE.format(service.port))


def test_a_keyring_key_is_made_by_init(data, monkeypatch):
    stored = key_services.keyring(monkeypatch)
    assert json.loads(run("init", "--key", "keyring:sfumato/root", "--json"))["root"].startswith("root-key:")
    assert list(stored) == [("sfumato", "root")]


def test_a_credential_is_not_made_by_init_which_says_how_to(data):
    with pytest.raises(KeyMissing, match="systemd-creds encrypt"):
        run("init", "--key", "credential:root")


def test_init_makes_a_key_file_as_before(tmp_path, data):
    assert json.loads(run("init", "--key-file", tmp_path / "a.key", "--json")) == {"key_file": str(tmp_path / "a.key")}
    assert RootKey.load(tmp_path / "a.key", data=data)


def test_two_root_keys_at_once_are_refused(data, old):
    with pytest.raises(InputError, match="choose one"):
        run("rotate", "--data", data, "--key-file", old, "--key", f"file:{old}")


def test_a_new_key_file_must_be_there_and_outside_the_data_directory(data, old):
    with pytest.raises(KeyMissing, match="sfumato keys init"):
        run("rotate", "--data", data, "--key-file", old, "--to", f"file:{data.parent}/none.key")
    (data / "in.key").write_bytes(old.read_bytes())
    with pytest.raises(KeyMissing, match="inside the data directory"):
        run("rotate", "--data", data, "--key-file", old, "--to", f"file:{data}/in.key")


def test_the_wrong_old_root_key_changes_nothing(data, old, tmp_path):
    for name in ("a.key", "b.key"):
        RootKey.create(tmp_path / name)
    before = {path.name: path.read_bytes() for path in (data / "keystore").iterdir()}
    with pytest.raises(VaultError):
        run("rotate", "--data", data, "--key-file", tmp_path / "a.key", "--to", f"file:{tmp_path}/b.key")
    assert {path.name: path.read_bytes() for path in (data / "keystore").iterdir()} == before
