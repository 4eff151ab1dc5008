"""`sfumato serve` on PostgreSQL, as a process: one role, which finds nothing behind the releases; shown by trying."""
# ruff: noqa: S608 - the statements are our own, put together from our own words

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import DBAPIError

import chaos
import postgres

pytestmark = pytest.mark.filterwarnings("ignore:.*psycopg.*:pytest.PytestUnraisableExceptionWarning")
BEHIND = ("sfumato_private.vault", "sfumato_private.derived")
OTHERS = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def world(tmp_path):
    made = chaos.World(tmp_path, postgres.server())
    postgres.run(made.admin, *(f"CREATE TABLE {table} (body text)" for table in BEHIND))
    postgres.run(made.admin, *(f"INSERT INTO {table} VALUES ('canary7391')" for table in BEHIND))
    made.server.tend()
    try:
        yield made
    finally:
        made.server.kill()


def until_ready(line):
    end = time.monotonic() + chaos.START
    while time.monotonic() < end:
        try:
            if line.get("/readyz").status_code == 200:
                return
        except httpx2.RequestError:
            pass
        time.sleep(0.2)
    pytest.fail("the server did not start")


def test_a_running_server_reads_releases_and_can_not_read_what_is_behind_them(world):
    with httpx2.Client(base_url=f"http://127.0.0.1:{world.port}", timeout=60) as line:
        until_ready(line)
        key = {"Authorization": f"Bearer {world.tokens[0]}"}
        assert line.get("/v1/releases", headers=key).json()["releases"]
        assert line.get("/v1/releases").status_code == 401  # a denial, which it writes to the audit log
        with postgres.connected(world.admin) as db:
            assert {user for (user,) in db.exec_driver_sql(OTHERS)} == {"desk"}, "it comes as this user and no other"
        with postgres.connected(world.as_user("desk")) as db:
            assert db.exec_driver_sql("SELECT count(*) FROM releases").scalar() == 1
            for table in BEHIND:
                with pytest.raises(DBAPIError, match="permission denied"):
                    db.exec_driver_sql(f"SELECT * FROM {table}")
        process = Path(f"/proc/{world.server.pid}")
        opened = {str(one.readlink()) for one in (process / "fd").iterdir()}
        assert not [one for one in opened if any(f"/{zone}/" in one for zone in ("raw", "derived", "keystore"))]
        assert b"SFUMATO_KEY" not in (process / "environ").read_bytes()
