"""Names of root keys: each opens the provider it names, and all else is refused in one line that repeats nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import key_services
from sfumato.adapters import kms_aws, kms_credential, kms_keyring, kms_names
from sfumato.adapters.kms_google import MetadataToken
from sfumato.adapters.kms_names import KeyName
from sfumato.errors import InputError, KeyMissing, StorageError, VaultError
from sfumato.vault.keys import RootKey

ARN = key_services.ARN.format("1234abcd-12ab-34cd-56ef-1234567890ab")
GOOGLE = "projects/p/locations/global/keyRings/r/cryptoKeys/k"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def opened(text, data, **environment):
    return kms_names.opened(text, data=data, environment=environment)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (f"aws-kms://{ARN}", f"aws-kms:{ARN}"),
        (f"gcp-kms://{GOOGLE}", f"gcp-kms:{GOOGLE}"),
        ("vault-transit://vault.example:8200/transit/sfumato", "vault-transit:transit/sfumato"),
        ("vault-transit://vault.example/team/a/transit/sfumato", "vault-transit:team/a/transit/sfumato"),
        ("vault-transit+http://127.0.0.1:8100/transit/sfumato", "vault-transit:transit/sfumato"),
        ("vault-transit+http://[::1]:8100/transit/sfumato", "vault-transit:transit/sfumato"),
    ],
    ids=["aws", "google", "vault", "long mount", "agent", "agent by IPv6"],
)
def test_a_key_service_is_named_by_its_key_and_not_called_yet(text, identity, data):
    assert opened(text, data).id == identity


def test_a_namespace_is_part_of_a_transit_keys_id(data):
    found = opened("vault-transit://vault.example/transit/k", data, VAULT_NAMESPACE="/team/")
    assert found.id == "vault-transit:team/transit/k"


def test_a_file_a_credential_and_a_keyring_with_the_same_line_are_the_same_root_key(tmp_path, data, monkeypatch):
    RootKey.create(tmp_path / "root.key")
    line = (tmp_path / "root.key").read_text()
    key_services.keyring(monkeypatch)[("sfumato", "root")] = line.strip()
    names = [
        f"file:{tmp_path}/root.key",
        "credential:root.key",
        f"credential:{tmp_path}/root.key",
        "keyring:sfumato/root",
    ]
    assert len({opened(name, data, CREDENTIALS_DIRECTORY=str(tmp_path)).id for name in names}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2-secret",
        "s3://hunter2-secret",
        "aws-kms:hunter2-secret",
        "aws-kms://",
        "aws-kms://alias/hunter2-secret",
        "aws-kms://arn:aws:kms:eu-central-1:12:key/hunter2-secret",
        "gcp-kms://projects/hunter2-secret",
        "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k/../../hunter2-secret",
        "vault-transit://hunter2-secret",
        "vault-transit://host/hunter2-secret",
        "vault-transit://user:hunter2-secret@host/transit/k",
        "vault-transit://host:99999/transit/hunter2-secret",
        "vault-transit://host/transit/../hunter2-secret",
        "vault-transit://host/transit/k?hunter2-secret",
        "vault-transit+http://vault.example/transit/hunter2-secret",
        "keyring:hunter2-secret",
        "keyring://hunter2-secret",
        "file:",
        "credential:",
        "file:a\nhunter2-secret",
    ],
    ids=lambda text: repr(text).replace("hunter2-secret", "x"),
)
def test_what_is_no_name_is_refused_in_one_line_without_repeating_it(text, data, monkeypatch):
    key_services.keyring(monkeypatch)
    with pytest.raises(InputError) as failure:
        opened(text, data)
    assert "hunter2" not in str(failure.value)
    assert len(str(failure.value).splitlines()) == 1


def test_a_name_is_parsed_into_kind_and_rest():
    assert KeyName.parse("file:/a:b") == KeyName(kind="file", rest="/a:b")
    assert KeyName.parse(f"gcp-kms://{GOOGLE}") == KeyName(kind="gcp-kms", rest=GOOGLE)


def test_certificates_that_are_not_there_are_refused(data, tmp_path):
    with pytest.raises(InputError, match="VAULT_CACERT"):
        opened("vault-transit://vault.example/transit/k", data, VAULT_CACERT=str(tmp_path / "none"))


@pytest.mark.parametrize("token", ["", "short", "with space inside", "line\nbreak-hunter2", "ünïcödé-hunter2"])
def test_a_token_that_can_be_no_header_is_refused_and_not_repeated(token):
    with key_services.key_service() as service:
        for root in (key_services.transit(service, "k", token=token), key_services.google(service, "k", token=token)):
            with pytest.raises(KeyMissing, match="there is no token") as failure:
                root.wrap(b"x", {"key": "0f" * 16})
            assert "hunter2" not in str(failure.value)
        assert service.asked == []


def test_the_token_of_an_agents_file_is_read_for_every_call(tmp_path, data):
    file = tmp_path / "token"
    environment = {"VAULT_TOKEN_FILE": str(file)}
    token = kms_names._vault_token(environment)
    with pytest.raises(KeyMissing, match="is the agent running"):
        token()
    for text in ("first-token", "second-token"):
        file.write_text(text)
        assert token() == text


def test_a_token_of_the_metadata_server_is_kept_until_it_nearly_ends(monkeypatch):
    with key_services.key_service() as service:
        answers = iter([{"access_token": "one", "expires_in": 3600}, {"access_token": "two", "expires_in": 30}])
        service.answer = lambda *_: (200, next(answers))
        source = MetadataToken(key_services.place_of(service))
        assert [source(), source()] == ["one", "one"]
        source._ends = 0
        assert source() == "two"


def test_without_a_metadata_server_it_says_where_a_token_could_come_from():
    with key_services.key_service() as service:
        service.mood = "down"
        with pytest.raises(KeyMissing, match="CLOUDSDK_AUTH_ACCESS_TOKEN"):
            MetadataToken(key_services.place_of(service))()


# What services say


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (400, "cipher: message authentication failed", VaultError),
        (400, "invalid ciphertext: version is too new", VaultError),
        (400, "ciphertext or signature version is disallowed by policy (too old)", KeyMissing),
        (400, "encryption key not found", KeyMissing),
        (400, "'[0].associated_data' provided for non-AEAD cipher suite rsa-4096", KeyMissing),
        (400, "missing client token", KeyMissing),
        (404, "no handler for route", KeyMissing),
        (302, "elsewhere", KeyMissing),
    ],
)
def test_the_transit_engine_is_taken_at_its_word_only_about_the_ciphertext(status, said, error):
    """All else leaves open whether the key is there, and must not pass for an altered file."""
    with key_services.key_service() as service:
        service.answer = lambda *_: (status, {"errors": [said]})
        with pytest.raises(error) as failure:
            key_services.transit(service, "k").unwrap(b"vault:v1:AAAA", {"key": "0f" * 16})
        assert said not in str(failure.value)


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (400, "INVALID_ARGUMENT", VaultError),
        (400, "FAILED_PRECONDITION", KeyMissing),
        (400, "", KeyMissing),
        (401, "UNAUTHENTICATED", KeyMissing),
        (404, "NOT_FOUND", KeyMissing),
        (429, "RESOURCE_EXHAUSTED", StorageError),
    ],
)
def test_google_is_taken_at_its_word_only_about_the_ciphertext(status, said, error):
    with key_services.key_service() as service:
        service.answer = lambda *_: (status, {"error": {"status": said, "message": "told"}})
        with pytest.raises(error) as failure:
            key_services.google(service, "k").unwrap(b"blob", {"key": "0f" * 16})
        assert "told" not in str(failure.value)


# Credential files


def credential(tmp_path, data, mode=0o440, name="root"):
    folder = tmp_path / "credentials"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(RootKey(bytes(32)).line())
    (folder / name).chmod(mode)
    return lambda: kms_credential.load(name, data=data, environment={"CREDENTIALS_DIRECTORY": str(folder)})


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_credential_for_its_owner_or_a_group_is_read(tmp_path, data, mode):
    assert credential(tmp_path, data, mode)().id == RootKey(bytes(32)).id


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o404, 0o460, 0o660, 0o450, 0o401])
def test_a_credential_open_to_everybody_or_writable_by_a_group_is_refused(tmp_path, data, mode):
    with pytest.raises(KeyMissing, match="mode 0400"):
        credential(tmp_path, data, mode)()


def test_a_mounted_secret_may_be_a_link_as_kubernetes_makes_it(tmp_path, data):
    credential(tmp_path, data, 0o400)
    (tmp_path / "mounted").symlink_to(tmp_path / "credentials" / "root")
    found = kms_credential.load(str(tmp_path / "mounted"), data=data, environment={})
    assert found.id == RootKey(bytes(32)).id


def test_a_credential_of_another_user_is_refused_but_roots_is_not(tmp_path, data, monkeypatch):
    read = credential(tmp_path, data)
    owner = (tmp_path / "credentials" / "root").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert read().id == RootKey(bytes(32)).id
        os.chown(tmp_path / "credentials" / "root", 4242, -1)
    with pytest.raises(KeyMissing, match="another user"):
        read()


def test_a_credential_that_is_a_pipe_a_folder_or_nothing_is_refused_at_once(tmp_path, data):
    os.mkfifo(tmp_path / "pipe", 0o400)
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(KeyMissing):
            kms_credential.load(str(place), data=data, environment={})


@pytest.mark.parametrize("name", ["../root", "a/b", "-a", ".a", "ä"])
def test_a_credentials_name_leads_nowhere_else(tmp_path, data, name):
    with pytest.raises(KeyMissing, match="name of letters"):
        kms_credential.load(name, data=data, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_without_a_credentials_directory_it_says_how_to_be_given_one(data):
    with pytest.raises(KeyMissing, match="LoadCredentialEncrypted"):
        kms_credential.load("root", data=data, environment={})


def test_a_credential_inside_the_data_directory_is_refused(tmp_path, data):
    data.mkdir()
    (data / "root").write_bytes(RootKey(bytes(32)).line())
    (tmp_path / "door").symlink_to(data / "root")
    for place in (data / "root", tmp_path / "door"):
        with pytest.raises(KeyMissing, match="inside the data directory"):
            kms_credential.load(str(place), data=data, environment={})


# The keyring


def test_a_keyring_key_is_made_once(monkeypatch):
    stored = key_services.keyring(monkeypatch)
    made = kms_keyring.create("sfumato/root")
    assert kms_keyring.load("sfumato/root").id == made.id
    assert list(stored) == [("sfumato", "root")]
    with pytest.raises(KeyMissing, match="never overwritten"):
        kms_keyring.create("sfumato/root")
    with pytest.raises(KeyMissing, match="keys init --key"):
        kms_keyring.load("sfumato/other")


@pytest.mark.parametrize("call", [kms_keyring.load, kms_keyring.create])
def test_a_locked_keyring_is_refused_and_what_it_says_is_not_shown(monkeypatch, call):
    key_services.keyring(monkeypatch, locked=True)
    with pytest.raises(KeyMissing, match="unlock it") as failure:
        call("sfumato/root")
    assert "locked:" not in str(failure.value)


def test_a_keyring_that_keeps_plain_text_is_refused(monkeypatch):
    stored = key_services.keyring(monkeypatch, priority=0.5)
    with pytest.raises(KeyMissing, match="plain text"):
        kms_keyring.create("sfumato/root")
    assert stored == {}


@pytest.mark.parametrize(
    ("module", "text", "package"),
    [("keyring", "keyring:a/b", "sfumato[keyring]"), ("boto3", f"aws-kms://{ARN}", "sfumato[aws]")],
    ids=["keyring", "boto3"],
)
def test_a_package_that_is_not_installed_is_named(module, text, package, data, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(KeyMissing, match="pip install") as failure:
        opened(text, data)
    assert package in str(failure.value)


def test_naming_a_key_file_loads_no_package_of_a_key_service():
    code = "import sys, sfumato.adapters.kms_names, sfumato.cli.keys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore", "keyring", "httpx2", "sfumato.adapters.kms_aws"} & set(loaded)


# AWS KMS as another project stands in for it


@pytest.fixture
def moto_keys(monkeypatch):
    moto = pytest.importorskip("moto", reason="the stand-in for AWS is not installed")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        client = boto3.client("kms", region_name="eu-central-1")
        arns = [client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        yield [kms_aws.opened(arn) for arn in arns]


def test_moto_and_we_agree_on_encryption_contexts(moto_keys):
    one, two = moto_keys
    context = {"dataset": "ds", "key": "0f" * 16, "part": "2026-03", "zone": "raw"}
    blob = one.wrap(b"secret" * 5, context)
    assert one.unwrap(blob, context) == b"secret" * 5
    with pytest.raises(VaultError):
        one.unwrap(blob, context | {"zone": "derived"})
    with pytest.raises(KeyMissing):  # the service itself says IncorrectKeyException, as the other stand-in does
        two.unwrap(blob, context)


def test_an_arn_that_names_no_key_is_missing(moto_keys):
    absent = kms_aws.opened(key_services.ARN.format("11111111-1111-1111-1111-111111111111"))
    with pytest.raises(KeyMissing, match="NotFoundException"):
        absent.wrap(b"secret", {"key": "0f" * 16})
