"""Every root key, wherever it is kept, gives back what it wrapped, in its context only, and says nothing else."""

from __future__ import annotations

import base64
import copy
import logging
import os
import pickle
import time

import pytest

import key_services
from sfumato.errors import KeyMissing, SfumatoError, StorageError, VaultError
from sfumato.vault import deployment, receipts
from sfumato.vault.keys import PURPOSES, RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.manifest import Manifest
from sfumato.vault.rawzone import RawZone

LOCAL = ["file", "credential", "keyring"]
REMOTE = ["transit", "google", "aws"]
CONTEXT = {"dataset": "ds", "key": "0f" * 16, "part": "2026-03", "zone": "raw"}
SECRET = bytes(range(1, 33))


@pytest.fixture
def service():
    with key_services.key_service() as running:
        yield running


@pytest.fixture
def roots(request, tmp_path, monkeypatch):
    """Two root keys of one provider, and the service behind them (None: none)."""
    kind, data = request.param, tmp_path / "data"
    if kind in REMOTE:
        service = request.getfixturevalue("service")
        maker = {"transit": key_services.transit, "google": key_services.google}.get(kind)
        pair = [maker(service, name) if maker else key_services.aws(service, name, monkeypatch) for name in "ab"]
        return (*pair, service)
    if kind == "keyring":
        key_services.keyring(monkeypatch)
        return key_services.in_keyring("a"), key_services.in_keyring("b"), None
    maker = {"file": key_services.key_file, "credential": key_services.credential}[kind]
    return *(maker(tmp_path / "k", name, data=data) for name in "ab"), None


every = pytest.mark.parametrize("roots", LOCAL + REMOTE, indirect=True)
remote = pytest.mark.parametrize("roots", REMOTE, indirect=True)


@every
@pytest.mark.parametrize("size", [1, 32, 3000])
def test_what_was_wrapped_comes_back_and_does_not_show(roots, size):
    root, secret = roots[0], os.urandom(size)
    blob = root.wrap(secret, CONTEXT)
    assert root.unwrap(blob, dict(reversed(CONTEXT.items()))) == secret
    assert size == 1 or (secret not in blob and base64.b64encode(secret) not in blob)


@every
@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "other"},
        {"part": "2026-04"},
        {"zone": "derived"},
        {"key": "1f" * 16},
        {"dataset": "ds2026-03", "part": ""},
        {"more": "x"},
        {"zone": None},
        {"zone": None, "area": "raw"},
    ],
    ids=["dataset", "part", "zone", "key", "run over", "more", "less", "renamed"],
)
def test_in_another_context_nothing_comes_back(roots, change):
    blob = roots[0].wrap(SECRET, CONTEXT)
    other = {name: value for name, value in (CONTEXT | change).items() if value is not None}
    with pytest.raises(VaultError):
        roots[0].unwrap(blob, other)


@every
@pytest.mark.parametrize(
    "tamper",
    [lambda b: b[:-4] + bytes([b[-4] ^ 1]) + b[-3:], lambda b: b[:-5], lambda b: b + b"x", lambda b: b"", os.urandom],
    ids=["changed", "cut", "longer", "empty", "noise"],
)
def test_an_altered_blob_gives_nothing(roots, tamper):
    blob = roots[0].wrap(SECRET, CONTEXT)
    changed = tamper(len(blob)) if tamper is os.urandom else tamper(blob)
    with pytest.raises(VaultError):
        roots[0].unwrap(changed, CONTEXT)


@every
def test_every_changed_byte_of_a_blob_is_an_error_of_ours(roots):
    blob = roots[0].wrap(SECRET, CONTEXT)
    for at in range(0, len(blob), 7):
        with pytest.raises(SfumatoError):
            roots[0].unwrap(blob[:at] + bytes([blob[at] ^ 4]) + blob[at + 1 :], CONTEXT)


@every
def test_another_root_key_opens_nothing_and_has_another_id(roots):
    one, two, _ = roots
    assert one.id != two.id
    assert one.id.isascii()
    assert one.id.isprintable()
    with pytest.raises(VaultError):
        two.unwrap(one.wrap(SECRET, CONTEXT), CONTEXT)


@every
def test_a_root_key_is_not_printed_copied_or_pickled(roots):
    assert "private" in f"{roots[0]!r} {roots[0]!s}"
    for refuse in (pickle.dumps, copy.deepcopy, "{}".format):
        with pytest.raises(TypeError):
            refuse(roots[0])


@every
def test_an_error_or_a_log_line_holds_no_secret_no_token_and_no_answer(roots, caplog):
    root, other, service = roots
    said = []
    with caplog.at_level(logging.DEBUG):
        blob = root.wrap(SECRET, CONTEXT)
        for mood in ("well", "denied", "pending", "down", "nonsense"):
            if service is not None:
                service.mood = mood
            for call in (lambda: other.unwrap(blob, CONTEXT), lambda: root.unwrap(blob[:-1], CONTEXT)):
                with pytest.raises(SfumatoError) as failure:
                    call()
                said.append(str(failure.value))
                assert failure.value.__cause__ is None
    text = "\n".join([*said, caplog.text])
    hidden = [SECRET.hex(), base64.b64encode(SECRET).decode(), key_services.TOKEN, "permission", "PERMISSION", "html"]
    assert not [word for word in hidden if word in text]
    assert all(len(line.splitlines()) == 1 for line in said)


@remote
@pytest.mark.parametrize("mood", ["denied", "pending"])
def test_a_root_key_that_may_not_be_used_is_missing_and_is_asked_once(roots, mood):
    root, _, service = roots
    blob = root.wrap(SECRET, CONTEXT)
    service.mood, service.asked = mood, []
    for call in (lambda: root.wrap(SECRET, CONTEXT), lambda: root.unwrap(blob, CONTEXT)):
        with pytest.raises(KeyMissing, match="does not let"):
            call()
    assert len(service.asked) == 2


@remote
def test_a_service_that_fails_now_and_then_is_asked_again(roots):
    root, _, service = roots
    blob = root.wrap(SECRET, CONTEXT)
    for flaps in (1, 3):
        service.flaps = flaps
        assert root.unwrap(blob, CONTEXT) == SECRET


@remote
@pytest.mark.parametrize("mood", ["down", "slow"])
def test_a_service_that_stays_away_ends_after_four_attempts(roots, mood):
    root, _, service = roots
    blob = root.wrap(SECRET, CONTEXT)
    service.mood, service.asked = mood, []
    began = time.monotonic()
    with pytest.raises(StorageError, match="can't be used now"):
        root.unwrap(blob, CONTEXT)
    assert len(service.asked) == 4
    assert time.monotonic() - began < 5
    time.sleep(key_services.SLOW_S if mood == "slow" else 0)  # its threads end before the test does


@remote
def test_an_answer_that_is_none_is_an_error_of_ours(roots):
    root, _, service = roots
    blob = root.wrap(SECRET, CONTEXT)
    service.mood = "nonsense"
    with pytest.raises(StorageError):
        root.unwrap(blob, CONTEXT)


@every
def test_epoch_keys_live_and_end_under_it(roots, tmp_path):
    root, other, _ = roots
    directory = tmp_path / "store"
    secrets = deployment.secrets(directory, root)
    keys = EpochKeys(directory, root)
    made = keys.create("ds", "2026-03", "raw")
    assert EpochKeys(directory, root).open("ds", "2026-03", "raw").secret == made.secret
    assert {deployment.secrets(directory, root).derive(p) for p in PURPOSES} == {secrets.derive(p) for p in PURPOSES}
    assert made.secret not in b"".join(path.read_bytes() for path in directory.iterdir())
    with pytest.raises(VaultError):
        EpochKeys(directory, other).open("ds", "2026-03", "raw")
    assert keys.remains("ds", "2026-03", made.id.hex()) == ["its key still opens"]
    evidence = keys.destroy("ds", "2026-03", "raw")
    assert (evidence.key_id, evidence.state) == (made.id.hex(), "unusable")
    assert evidence.custody == ("root-key" if isinstance(root, RootKey) else root.id)
    assert keys.remains("ds", "2026-03", made.id.hex(), former=[other]) == []


@remote
@pytest.mark.parametrize("mood", ["denied", "pending", "down"])
def test_a_silent_key_service_is_never_taken_for_a_destroyed_key(roots, tmp_path, mood):
    """Else a receipt would be signed for a key that is there."""
    root, _, service = roots
    deployment.secrets(tmp_path / "store", root)
    keys = EpochKeys(tmp_path / "store", root)
    key = keys.create("ds", "2026-03", "raw")
    folder = tmp_path / "raw"
    folder.mkdir()
    Manifest(folder).intend(
        receipts.Receipt(
            dataset="ds",
            epoch="2026-03",
            policy="p",
            key_id=key.id.hex(),
            key_fingerprint=key.fingerprint(),
            ingested="2026-03-31T23:00:00Z",
            destroyed="2026-04-01T00:00:00Z",
            segments=(),
        )
    )
    zone = RawZone(
        dataset="ds", part="2026-03", folder=folder, keys=keys, receipts=tmp_path / "receipts", sign=lambda b: b
    )
    service.mood = mood
    for call in (zone.finish, zone.key, lambda: keys.create("ds", "2026-03", "raw")):
        with pytest.raises(StorageError):
            call()
    assert not (tmp_path / "receipts").exists()
    assert keys.remains("ds", "2026-03", key.id.hex()) != []
    service.mood = "well"
    assert keys.open("ds", "2026-03", "raw").secret == key.secret


@remote
def test_a_deployment_begins_with_no_secret_of_which_the_service_gives_back_another(roots, tmp_path, monkeypatch):
    root = roots[0]
    monkeypatch.setattr(type(root), "unwrap", lambda *_: b"x" * 32)
    with pytest.raises(StorageError, match="does not give back"):
        deployment.secrets(tmp_path / "store", root)
    assert not (tmp_path / "store" / deployment.NAME).exists()
