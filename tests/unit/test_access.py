"""API keys and decisions: what is not issued, alive and permitted is denied, and every decision says why."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest

from sfumato.errors import InputError, KeyMissing, StorageError
from sfumato.policy.schema import Access as Roles
from sfumato.serve import api_keys
from sfumato.serve.access import Access
from sfumato.serve.api_keys import ROLES, ApiKeys, Principal

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.time = NOON

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(tmp_path, clock):
    return ApiKeys.open(tmp_path, clock)


@pytest.mark.parametrize("role", ROLES)
def test_an_issued_key_names_its_holder(keys, role):
    token = keys.issue(role)
    assert keys.authenticate(token) == Principal(key_id=token.split("_")[1], role=role)


def test_the_token_is_stored_nowhere_and_its_hash_needs_the_pepper(tmp_path, keys):
    token = keys.issue("analyst")
    secret = token[21:]
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in held
    assert hashlib.sha256(secret.encode()).hexdigest().encode() not in held


def test_database_and_pepper_are_readable_by_their_owner_only(tmp_path, keys):
    keys.issue("admin")
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "access.db": 0o600,
        "access.pepper": 0o600,
    }


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "no_key"),
        ("", "no_key"),
        ("sfk_", "unknown_key"),
        ("sfk_" + "0" * 16 + "_" + "A" * 43, "unknown_key"),
        ("' or 1=1 --", "unknown_key"),
        ("sfk_\u00e9\x00", "unknown_key"),
    ],
)
def test_what_was_never_issued_is_nobody(keys, token, reason):
    keys.issue("admin")
    found = keys.examine(token)
    assert (found.principal, found.reason) == (None, reason)


def test_the_right_id_with_another_secret_is_nobody(keys):
    one, other = keys.issue("analyst"), keys.issue("analyst")
    assert keys.examine(one[:21] + other[21:]).reason == "unknown_key"


def test_a_revoked_key_is_refused_at_once_by_whoever_reads(tmp_path, keys):
    token = keys.issue("analyst")
    reader = ApiKeys.read_only(tmp_path)
    assert reader.authenticate(token)
    assert keys.revoke(token.split("_")[1])
    assert reader.examine(token).reason == "revoked"


def test_revoking_a_key_that_does_not_exist_says_so(keys):
    assert not keys.revoke("f" * 16)


def test_a_key_ends_at_its_expiry(keys, clock):
    token = keys.issue("analyst", expires=NOON + timedelta(hours=1))
    assert keys.authenticate(token)
    clock.time += timedelta(hours=1)
    assert keys.examine(token).reason == "expired"


def test_an_unknown_id_costs_the_same_hash_and_comparison(keys, monkeypatch):
    """Work is counted, not timed: every token leads to exactly one hash and one constant-time comparison."""
    work = []
    monkeypatch.setattr(api_keys.hmac, "digest", lambda *args: work.append("hash") or b"\0" * 32)
    monkeypatch.setattr(api_keys.hmac, "compare_digest", lambda *args: work.append("compare") or False)
    for token in (keys.issue("analyst"), "sfk_" + "0" * 16 + "_" + "A" * 43, "junk", None):
        work.clear()
        keys.examine(token)
        assert work == ["hash", "compare"]


def test_the_readers_connection_can_write_nothing(tmp_path, keys):
    keys.issue("analyst")
    with pytest.raises(StorageError, match="readonly"):
        ApiKeys.read_only(tmp_path).issue("admin")


def test_without_any_key_issued_there_is_nothing_to_serve_with(tmp_path):
    with pytest.raises(KeyMissing, match="issue"):
        ApiKeys.read_only(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_lost_pepper_is_not_silently_replaced(tmp_path, keys):
    keys.issue("analyst")
    (tmp_path / "access.pepper").unlink()
    for opener in (ApiKeys.open, ApiKeys.read_only):
        with pytest.raises(KeyMissing, match="pepper"):
            opener(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_pepper_that_others_can_read_is_not_used(tmp_path, keys, mode):
    (tmp_path / "access.pepper").chmod(mode)
    with pytest.raises(KeyMissing, match="chmod 600"):
        ApiKeys.open(tmp_path)


def test_a_truncated_pepper_is_not_used(tmp_path, keys):
    (tmp_path / "access.pepper").write_bytes(b"short")
    with pytest.raises(KeyMissing, match="32 bytes"):
        ApiKeys.open(tmp_path)


def test_a_damaged_database_denies(tmp_path, keys):
    token = keys.issue("analyst")
    (tmp_path / "access.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError):
        ApiKeys.read_only(tmp_path).authenticate(token)


def test_a_row_moved_to_another_id_does_not_authenticate(tmp_path, keys):
    """The hash binds the id: swapping the hashes of two rows opens nothing."""
    analyst, admin = keys.issue("analyst"), keys.issue("admin")
    with sqlite3.connect(tmp_path / "access.db") as db:
        (mac,) = db.execute("select mac from keys where id = ?", [analyst.split("_")[1]]).fetchone()
        db.execute("update keys set mac = ? where id = ?", [mac, admin.split("_")[1]])
    db.close()
    assert keys.authenticate(f"sfk_{admin.split('_')[1]}_{analyst[21:]}") is None


@pytest.mark.parametrize("role", ["root", "", "Analyst"])
def test_only_known_roles_are_issued(keys, role):
    with pytest.raises(InputError, match="role"):
        keys.issue(role)


@pytest.mark.parametrize("expires", [NOON, NOON - timedelta(days=1), datetime(2030, 1, 1)])  # noqa: DTZ001 - the point
def test_an_expiry_in_the_past_or_without_a_zone_is_refused(keys, expires):
    with pytest.raises(InputError, match="expire"):
        keys.issue("analyst", expires=expires)


def test_the_list_of_keys_shows_no_hash(keys):
    token = keys.issue("auditor")
    (record,) = keys.records()
    assert (record.role, record.revoked, record.expires) == ("auditor", False, None)
    assert hmac.digest(os.urandom(1), token.encode(), "sha256").hex() not in repr(record)
    assert not hasattr(record, "mac")


def test_the_policy_decides_and_the_decision_says_why(keys):
    access = Access(keys, Roles(analyst=("releases", "queries"), admin=("policy",)))
    analyst, admin, auditor = (keys.issue(role) for role in ("analyst", "admin", "auditor"))
    decided = {
        (name, operation): (decision.allowed, decision.reason)
        for name, token in {"analyst": analyst, "admin": admin, "auditor": auditor, "nobody": None}.items()
        for operation in ("releases", "policy")
        for decision in [access.decide(token, operation)]
    }
    no = (False, "role_lacks_operation")
    assert decided == {
        ("analyst", "releases"): (True, "granted"),
        ("analyst", "policy"): no,
        ("admin", "releases"): no,
        ("admin", "policy"): (True, "granted"),
        ("auditor", "releases"): no,
        ("auditor", "policy"): no,
        ("nobody", "releases"): (False, "no_key"),
        ("nobody", "policy"): (False, "no_key"),
    }


def test_an_empty_policy_allows_nothing(keys):
    access = Access(keys, Roles())
    assert not any(access.decide(keys.issue(role), "releases").allowed for role in ROLES)
