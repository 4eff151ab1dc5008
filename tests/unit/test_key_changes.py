"""Changes of API keys: recorded before they hold, not made where they can't be recorded, and rotation without a gap."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from sfumato import wiring
from sfumato.audit.log import AuditLog
from sfumato.custody import Deployment
from sfumato.errors import StorageError
from sfumato.model.layout import Layout
from sfumato.serve.api_keys import ApiKeys

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
    with closing(ApiKeys.open(tmp_path, clock)) as opened:
        yield opened


def identity(token):
    return token.split("_")[1]


def full(_change, _identity):
    raise StorageError("the audit log can't be used (disk full)")


def test_the_operators_changes_are_in_the_log_by_the_ids_of_the_keys(tmp_path):
    keys = wiring.api_keys(Deployment(data=tmp_path))
    first = identity(keys.issue("analyst"))
    second = identity(keys.rotate(first, overlap=timedelta(0)))
    keys.revoke(second)
    assert not keys.revoke("f" * 16)
    keys.close()
    with closing(AuditLog.read_only(Layout(data=tmp_path).audit)) as log:
        found = [(event.operation, event.key, event.actor) for _, event in log.events()]
    assert found == [
        ("key_create", first, "operator"),
        ("key_rotate", first, "operator"),
        ("key_create", second, "operator"),
        ("key_revoke", second, "operator"),
    ]


def test_what_cant_be_recorded_is_not_done(keys):
    token = keys.issue("analyst")
    keys.witness = full
    for change in (
        lambda: keys.issue("admin"),
        lambda: keys.revoke(identity(token)),
        lambda: keys.rotate(identity(token), overlap=timedelta(0)),
    ):
        with pytest.raises(StorageError, match="disk full"):
            change()
    assert [record.role for record in keys.records()] == ["analyst"]
    assert keys.examine(token).reason == "known"


def test_the_old_key_works_through_the_overlap_and_not_after(keys, clock):
    old = keys.issue("auditor")
    new = keys.rotate(identity(old), overlap=timedelta(hours=1))
    assert keys.authenticate(new).role == keys.authenticate(old).role == "auditor"
    clock.time += timedelta(hours=1)
    assert keys.examine(old).reason == "expired"
    assert keys.examine(new).reason == "known"


def test_a_rotated_key_lives_no_longer_than_the_one_it_replaces(keys, clock):
    old = keys.issue("auditor", expires=NOON + timedelta(minutes=30))
    new = keys.rotate(identity(old), overlap=timedelta(hours=1))
    clock.time += timedelta(minutes=30)
    assert {keys.examine(token).reason for token in (old, new)} == {"expired"}


@pytest.mark.parametrize("state", ["revoked", "expired", "unknown"])
def test_a_key_that_is_not_alive_is_not_rotated(keys, clock, state):
    token = keys.issue("analyst", expires=NOON + timedelta(minutes=1))
    if state == "revoked":
        keys.revoke(identity(token))
    if state == "expired":
        clock.time += timedelta(minutes=1)
    assert keys.rotate("f" * 16 if state == "unknown" else identity(token), overlap=timedelta(0)) is None
    assert len(keys.records()) == 1
