"""API keys are the same in a file and on a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import postgres
from sfumato.errors import KeyMissing, StorageError
from sfumato.serve.api_keys import ApiKeys

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    return None if request.param == "sqlite" else postgres.server().database()


@pytest.fixture
def keys(tmp_path: Path, url):
    made = ApiKeys.open(tmp_path, lambda: NOW, url=url and url.set(username="keeper"))
    yield made
    made.close()


def reader(data: Path, url, now: datetime = NOW):
    """As the server opens them: a role that may only read."""
    return ApiKeys.read_only(data, lambda: now, url=url and url.set(username="desk"))


def test_a_key_is_known_until_it_is_revoked(keys: ApiKeys, tmp_path: Path, url) -> None:
    token = keys.issue("analyst")
    reading = reader(tmp_path, url)
    principal = reading.authenticate(token)
    assert principal is not None
    assert principal.role == "analyst"
    assert keys.revoke(principal.key_id)
    assert reading.examine(token).reason == "revoked"
    reading.close()


def test_a_key_expires(keys: ApiKeys, tmp_path: Path, url) -> None:
    token = keys.issue("auditor", expires=NOW + timedelta(days=1))
    late = reader(tmp_path, url, NOW + timedelta(days=1))
    assert late.examine(token).reason == "expired"
    late.close()


def test_what_is_stored_is_not_the_token_and_useless_without_the_pepper(
    keys: ApiKeys, tmp_path: Path, tmp_path_factory, url
) -> None:
    token = keys.issue("admin")
    assert token.rpartition("_")[2] not in repr(keys.records())
    other = tmp_path_factory.mktemp("other")
    ApiKeys.open(other).close()
    if url is not None:
        stranger = ApiKeys.read_only(other, url=url)
        assert stranger.examine(token).reason == "unknown_key"
        stranger.close()
    (tmp_path / "access.pepper").unlink()
    with pytest.raises(KeyMissing, match=r"access\.pepper"):
        ApiKeys.open(tmp_path, url=url)


def test_who_serves_can_neither_issue_nor_revoke(keys: ApiKeys, tmp_path: Path, url) -> None:
    token = keys.issue("analyst")
    reading = reader(tmp_path, url)
    for attempt in (lambda: reading.issue("admin"), lambda: reading.revoke(keys.records()[0].id)):
        with pytest.raises(StorageError):
            attempt()
    assert reading.examine(token).reason == "known"
    reading.close()
