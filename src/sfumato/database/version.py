"""Which version of the tables a database has, and whether this program can use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

KNOWN = ("0001", "0002", "0003", "0004")
FIRST, HEAD = KNOWN[0], KNOWN[-1]
_table = sql.table("alembic_version", sql.column("version_num"))


def found(db: Connection) -> str | None:
    """The version; None where none is noted: nothing is there, or it was made before versions were noted."""
    if not sql.inspect(db).has_table(_table.name):
        return None
    return db.execute(sql.select(_table.c.version_num)).scalar_one_or_none()


def refuse_newer(version: str | None) -> None:
    """Raise StorageError unless this program knows the version."""
    if version is not None and version not in KNOWN:
        raise StorageError("this database was made by a newer sfumato; upgrade the program, or restore a backup")


def require(db: Connection) -> None:
    """Raise StorageError unless the tables are of the version that this program reads and writes."""
    version = found(db)
    refuse_newer(version)
    if version is None:
        raise StorageError(
            "no tables of sfumato that this user can see: run `sfumato db init`, or make the user a member of its role"
        )
    if version != HEAD:
        raise StorageError("the tables of this database are older than the program; run `sfumato db migrate`")
