"""Connections to PostgreSQL: each commit on disk before it returns, nobody waits for a stopped process for ever."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, cast

import sqlalchemy as sql
from sqlalchemy.exc import DisconnectionError

from sfumato.database import version
from sfumato.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy import URL
    from sqlalchemy.pool import ConnectionPoolEntry

WAIT_SECONDS = 60
_NEW = "sfumato_new"
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
            connect_args={"application_name": "sfumato", "connect_timeout": 10, **_KEPT_ALIVE},
        )
    except ModuleNotFoundError:
        raise InputError("PostgreSQL needs its driver: install sfumato[postgres]") from None

    @sql.event.listens_for(made, "connect")
    def _configure(connection: Connection, record: ConnectionPoolEntry) -> None:
        connection.autocommit = True  # what is set in a transaction is lost when that rolls back
        connection.execute(_SETTINGS)
        connection.autocommit = False
        record.info[_NEW] = True

    @sql.event.listens_for(made, "checkout")
    def _ask(connection: Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if not record.info.pop(_NEW, False) and not _open(connection):
            raise DisconnectionError  # the pool then makes another, once: what that one says is for who uses it

    return made


def answers(db: sql.Connection) -> bool:
    """Whether a connection that was idle is of use still."""
    if db.invalidated or db.closed:
        return False
    held = db.connection.dbapi_connection
    return held is not None and _open(cast("Connection", held))


def _open(connection: Connection) -> bool:
    """Asked over the network only where the server has said something unasked: that is how it hangs up.

    A ping before each use would cost as much as what it is for.
    """
    if connection.closed:
        return False
    try:
        heard = select.poll()
        heard.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        if heard.poll(0):
            before = connection.autocommit
            connection.autocommit = True
            connection.execute("SELECT 1")
            connection.autocommit = before
    except (_driver_error(), OSError):
        return False
    return True


def _driver_error() -> type[Exception]:
    from psycopg import Error  # an extra: who has a connection has it

    return Error


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
