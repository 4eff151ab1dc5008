"""Connections to PostgreSQL: each commit on disk before it returns, nobody waits for a stopped process for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.database import version
from sfumato.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy import URL

WAIT_SECONDS = 60
# A reservation lives as long as its connection: a firewall must not drop an idle one, and a lost network must show.
_KEPT_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SETTINGS = f"""
    SET synchronous_commit = on;
    SET lock_timeout = '{WAIT_SECONDS}s';
    SET idle_in_transaction_session_timeout = '{WAIT_SECONDS}s';
    SET search_path = public;
"""


def engine(url: URL) -> sql.Engine:
    """A pool of connections, none made yet. Plain READ COMMITTED: whoever must be alone takes an advisory lock.

    Raises:
        InputError: the driver is not installed.
    """
    try:
        made = sql.create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            connect_args={"application_name": "sfumato", "connect_timeout": 10, **_KEPT_ALIVE},
        )
    except ModuleNotFoundError:
        raise InputError("PostgreSQL needs its driver: install sfumato[postgres]") from None

    @sql.event.listens_for(made, "connect")
    def _configure(connection: Connection, _record: object) -> None:
        connection.autocommit = True  # what is set in a transaction is lost when that rolls back
        connection.execute(_SETTINGS)
        connection.autocommit = False

    return made


def ready(url: URL) -> sql.Engine:
    """`engine`, once its tables are found to be of this program's version.

    Raises:
        StorageError: they are not. DatabaseError: the server can't be reached.
    """
    made = engine(url)
    try:
        with made.connect() as db:
            version.require(db)
    except BaseException:
        made.dispose()
        raise
    return made
