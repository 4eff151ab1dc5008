"""Rotation: derived keys and dates survive it, it begins only what it can finish, and needs no former key after."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import key_services
from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.model import signature
from sfumato.model.layout import Layout
from sfumato.vault import deployment, discard, receipts, rotation
from sfumato.vault.inventory import inventory
from sfumato.vault.keys import PURPOSES, RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.rawzone import RawZone

ONE, TWO, THREE = (RootKey(bytes([number]) * 32) for number in (1, 2, 3))
DATE = 1_700_000_000
NAME = ("ds", "2026-03", "raw")


@pytest.fixture
def service():
    with key_services.key_service() as running:
        yield running


@pytest.fixture
def store(tmp_path):
    """A key store of a key file, with two keys of 2023."""
    keys = EpochKeys(tmp_path / "store", ONE)
    for zone in ("raw", "derived"):
        keys.create("ds", "2026-03", zone)
    for path in (tmp_path / "store").iterdir():
        os.utime(path, (DATE, DATE))
    return tmp_path / "store"


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_releases_verify_and_pseudonyms_stay_equal_over_two_rotations(store, service):
    def derived(root):
        secrets = deployment.secrets(store, root)
        signer = Ed25519PrivateKey.from_private_bytes(secrets.derive("release signing"))
        return signer, Pseudonyms(secrets.derive("pseudonyms"), dataset="ds")

    signer, before = derived(ONE)
    document = {"format": "x", "id": "", "topics": []}
    remote = key_services.transit(service, "root")
    rotation.rotate(store, old=ONE, new=remote)
    rotation.rotate(store, old=remote, new=TWO)
    later, after = derived(TWO)
    assert later.public_key() == signer.public_key()
    assert before.user("7") == after.user("7") != Pseudonyms(TWO.derive("pseudonyms"), dataset="ds").user("7")
    assert signature.sign(document, later) == signature.sign(document, signer)
    assert all(deployment.secrets(store, TWO).derive(name) == ONE.derive(name) for name in PURPOSES)


def test_the_former_root_key_opens_nothing_and_makes_nothing_afterwards(store):
    rotation.rotate(store, old=ONE, new=TWO)
    for call in (EpochKeys(store, ONE).open, EpochKeys(store, ONE).create):
        with pytest.raises(VaultError, match=r"under another root key, root-key:[0-9a-f]{16}, not under"):
            call(*NAME)
    with pytest.raises(KeyMissing, match="is under root-key:"):
        EpochKeys(store, ONE).create("ds", "2026-04", "raw")
    with pytest.raises(VaultError, match="the deployment secret is under another root key"):
        deployment.secrets(store, ONE)


def test_a_key_gets_no_younger_by_rotation(store):
    rotation.rotate(store, old=ONE, new=TWO)
    assert EpochKeys(store, TWO).made(*NAME) == DATE
    assert {int(path.stat().st_mtime) for path in store.glob("*.key")} == {DATE}


def test_a_key_that_opens_under_neither_root_key_stops_it_before_anything_is_written(store):
    before = bytes_of(store)
    for old, new in ((TWO, THREE), (THREE, TWO)):
        with pytest.raises(VaultError):
            rotation.rotate(store, old=old, new=new)
    assert bytes_of(store) == before


def test_a_half_done_rotation_can_not_be_turned_to_a_third_root_key(store, monkeypatch):
    with monkeypatch.context() as broken:
        real, seen = rotation._move, []
        broken.setattr(rotation, "_move", lambda *a: seen.append(a) or (real(*a) if len(seen) < 3 else 1 / 0))
        with pytest.raises(ZeroDivisionError):
            rotation.rotate(store, old=ONE, new=TWO)
    found = inventory(store)
    assert found.half_rotated
    assert [entry.state for entry in found.keys] == ["good", "under another root key"]
    before = bytes_of(store)
    with pytest.raises(VaultError, match="a rotation from root-key was cut short: finish that"):
        rotation.rotate(store, old=TWO, new=THREE)
    assert bytes_of(store) == before
    assert rotation.rotate(store, old=ONE, new=TWO) == rotation.Rotated(moved=1, already=1, root=TWO.id)
    assert not inventory(store).half_rotated


def test_a_new_root_key_that_may_not_be_used_changes_nothing(store, service):
    before, remote = bytes_of(store), key_services.transit(service, "root")
    for mood, error in (("denied", KeyMissing), ("down", StorageError)):
        service.mood = mood
        with pytest.raises(error):
            rotation.rotate(store, old=ONE, new=remote)
    assert bytes_of(store) == before


def test_a_service_that_fails_in_the_middle_is_gone_on_with(store, service):
    remote = key_services.transit(service, "root")
    secret = EpochKeys(store, ONE).open(*NAME).secret
    real, calls = service.answer, []

    def failing(*args):
        calls.append(args)
        return (503, {}) if 3 < len(calls) < 9 else real(*args)

    service.answer = failing
    with pytest.raises(StorageError):
        rotation.rotate(store, old=ONE, new=remote)
    assert inventory(store).half_rotated
    rotation.rotate(store, old=ONE, new=remote)
    assert EpochKeys(store, remote).open(*NAME).secret == secret
    assert not inventory(store).half_rotated


def test_without_another_name_everything_is_wrapped_under_the_newest_version(store, service):
    remote = key_services.transit(service, "root")
    rotation.rotate(store, old=ONE, new=remote)
    assert all(b"vault:v1:" in content for content in bytes_of(store).values())
    service.versions["root"] = 2
    assert rotation.rotate(store, old=remote, new=remote).moved == 2
    assert all(b"vault:v2:" in content for content in bytes_of(store).values())
    assert EpochKeys(store, remote).open(*NAME)


def test_a_lost_deployment_secret_is_not_replaced_by_another(store):
    """Else every user would get a second pseudonym, and count twice."""
    rotation.rotate(store, old=ONE, new=TWO)
    (store / deployment.NAME).unlink()
    for call in (lambda: deployment.secrets(store, TWO), lambda: rotation.rotate(store, old=TWO, new=THREE)):
        with pytest.raises(KeyMissing, match="is missing"):
            call()


def test_a_wrong_first_key_file_derives_nothing(store):
    with pytest.raises(VaultError, match="no key here opens under"):
        deployment.secrets(store, TWO)


def test_a_key_service_is_not_begun_beside_the_keys_of_a_key_file(store, service):
    with pytest.raises(KeyMissing, match="keys rotate"):
        deployment.secrets(store, key_services.transit(service, "root"))
    assert not (store / deployment.NAME).exists()


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b[:20], lambda b: b"SFKEY2" + b[6:]]
)
def test_a_damaged_deployment_secret_is_refused_and_never_replaced(store, change):
    rotation.rotate(store, old=ONE, new=TWO)
    path = store / deployment.NAME
    path.write_bytes(changed := change(path.read_bytes()))
    with pytest.raises(VaultError):
        deployment.secrets(store, TWO)
    assert path.read_bytes() == changed


def test_no_key_is_derived_for_a_purpose_that_a_rotation_would_forget():
    for secrets in (ONE, deployment.DeploymentSecret.made(), deployment.DeploymentSecret.made(first=ONE)):
        with pytest.raises(ValueError, match="PURPOSES"):
            secrets.derive("something new")


def test_a_store_that_is_not_there_is_not_rotated(tmp_path):
    with pytest.raises(KeyMissing, match="no key store here"):
        rotation.rotate(tmp_path / "none", old=ONE, new=TWO)


def test_the_inventory_tells_destroyed_and_damaged_keys_and_shows_no_key(store):
    keys = EpochKeys(store, ONE)
    secret = keys.open(*NAME).secret
    (store / "ds@2026-04@raw.key").write_bytes(bytes(40))
    (store / "ds@2026-05@raw.key").write_bytes(b"x")
    found = inventory(store)
    assert [entry.state for entry in found.keys] == ["good", "good", "destroyed", "damaged"]
    assert {entry.provider for entry in found.keys} == {"root-key", ""}
    assert secret.hex() not in repr(found)


def raw_zone(tmp_path, keys):
    (tmp_path / "raw" / "ds" / "2026-03").mkdir(parents=True)
    return RawZone(
        dataset="ds",
        part="2026-03",
        folder=tmp_path / "raw" / "ds" / "2026-03",
        keys=keys,
        receipts=tmp_path / "receipts",
        sign=lambda content: content[:8],
    )


def discarded(zone):
    moment = datetime(2026, 4, 1, tzinfo=UTC).isoformat()
    return zone.discard(zone.keys.create(*NAME), policy="p", ingested=moment, destroyed=moment)


def verified(tmp_path, keys, former=()):
    return discard.verify(Layout(data=tmp_path), keys, holds=lambda signed, mark: signed[:8] == mark, former=former)


def test_a_discard_is_found_out_where_a_copy_of_the_key_lies_in_the_store_under_any_name(store, tmp_path):
    keys = EpochKeys(store, ONE)
    copy = (store / "ds@2026-03@raw.key").read_bytes()
    discarded(raw_zone(tmp_path, keys))
    assert verified(tmp_path, keys)["good"]
    for name in ("kept.bak", ".ds@2026-03@raw.key.00.tmp", "ds@2026-07@raw.key"):
        (store / name).write_bytes(copy)
        assert verified(tmp_path, keys)["receipts"][0]["problems"] == ["its key still opens"]
        assert verified(tmp_path, EpochKeys(store, TWO), [ONE])["receipts"][0]["problems"] == ["its key still opens"]
        assert verified(tmp_path, EpochKeys(store, TWO))["receipts"][0]["problems"] == [
            "a file in the key store still holds it, wrapped"
        ]
        (store / name).unlink()
    assert verified(tmp_path, keys)["good"]


def test_a_newer_key_of_the_epoch_speaks_against_no_receipt_under_any_root_key_named(store, tmp_path):
    keys = EpochKeys(store, ONE)
    discarded(raw_zone(tmp_path, keys))
    keys.create(*NAME)
    assert verified(tmp_path, keys)["good"]
    rotation.rotate(store, old=ONE, new=TWO)
    assert verified(tmp_path, EpochKeys(store, TWO))["good"]
    assert verified(tmp_path, EpochKeys(store, THREE), [TWO])["good"]
    assert not verified(tmp_path, EpochKeys(store, THREE))["good"]


@pytest.mark.parametrize("custody", ["key file", "key service", "memory"])
def test_a_receipt_says_what_its_keys_custody_lets_it_prove(tmp_path, service, custody):
    root = key_services.transit(service, "root") if custody == "key service" else ONE
    deployment.secrets(tmp_path / "store", root)
    keys = EpochKeys(tmp_path / "store", root, memory_only=custody == "memory")
    found = receipts.read(
        tmp_path / "receipts" / f"{discarded(raw_zone(tmp_path, keys))}.json",
        verify=lambda signed, mark: signed[:8] == mark,
    )
    proves, does_not_prove, state = found.proves, found.does_not_prove, found.state
    assert state == "unusable"
    assert ("overwrote and unlinked" in proves) == (custody != "memory")
    assert ("vault-transit:transit/root" in proves) == (custody == "key service")
    assert ("until the root key is itself destroyed" in does_not_prove) == (custody == "key service")
    assert ("swap, a core dump" in does_not_prove) == (custody == "memory")
    assert (proves == receipts.PROVES) == (custody == "key file")


def test_a_key_in_memory_is_nowhere_else_and_ends_with_its_store(tmp_path):
    keys = EpochKeys(tmp_path / "store", ONE, memory_only=True)
    made = keys.create(*NAME)
    derived = keys.create("ds", "2026-03", "derived")
    assert keys.open(*NAME).secret == made.secret == keys.create(*NAME).secret
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["ds@2026-03@derived.key"]
    assert list(keys.held()) == [("ds", "2026-03", "derived"), NAME]
    another = EpochKeys(tmp_path / "store", ONE, memory_only=True)
    with pytest.raises(KeyMissing):
        another.open(*NAME)
    assert another.open("ds", "2026-03", "derived").secret == derived.secret
    assert keys.remains("ds", "2026-03", made.id.hex()) == ["its key still opens"]
    evidence = keys.destroy(*NAME)
    assert (evidence.custody, evidence.key_id, evidence.overwritten) == ("memory", made.id.hex(), 0)
    assert keys.remains("ds", "2026-03", made.id.hex()) == []
    assert keys.destroy(*NAME) is None
    with pytest.raises(KeyMissing):
        keys.open(*NAME)


def test_a_damaged_key_can_still_be_destroyed_and_the_evidence_names_no_id(store):
    (store / "ds@2026-03@raw.key").write_bytes(b"damaged")
    evidence = EpochKeys(store, ONE).destroy(*NAME)
    assert (evidence.key_id, evidence.overwritten) == ("", 7)
    assert not (store / "ds@2026-03@raw.key").exists()
