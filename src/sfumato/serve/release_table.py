"""The releases in a PostgreSQL database: the gateway adds them, the server reads them, nobody changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql
from sqlalchemy.dialects.postgresql import insert

from sfumato.database import server
from sfumato.database.failures import translated
from sfumato.errors import InputError
from sfumato.serve.store import RELEASE_BYTES

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy import URL

_WHAT = "the table of releases"
_releases = sql.Table(
    "releases",
    sql.MetaData(),
    sql.Column("id", sql.String, primary_key=True),
    sql.Column("body", sql.LargeBinary, nullable=False),
)
_ROW_VERSION: sql.ColumnElement[str] = sql.literal_column("CAST(xmin AS text)")


class ReleaseTable:
    """A `store.Source`, and where the gateway puts each release that it has published.

    Raises:
        StorageError: the database can't be used, or its tables are of another version.
    """

    def __init__(self, url: URL) -> None:
        with translated(_WHAT):
            self._engine = server.ready(url)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def add(self, release_id: str, body: bytes) -> None:
        """Put a signed release there; repeatable, for a release's id follows from its content."""
        row = insert(_releases).values(id=release_id, body=body).on_conflict_do_nothing()
        with translated(_WHAT), self._engine.begin() as db:
            db.execute(row)

    def names(self) -> list[tuple[str, Hashable]]:
        """Each release's id, with the transaction that wrote its row."""
        found = sql.select(_releases.c.id, _ROW_VERSION).order_by(_releases.c.id)
        with translated(_WHAT), self._engine.connect() as db:
            return [(name, stamp) for name, stamp in db.execute(found)]

    def read(self, name: str) -> bytes:
        """The bytes of one release, unless they are too many."""
        row = _releases.c.id == name
        size = sql.select(sql.func.octet_length(_releases.c.body)).where(row)
        with translated(_WHAT), self._engine.connect() as db:
            length = db.execute(size).scalar_one_or_none()
            if length is None or length > RELEASE_BYTES:
                raise InputError("the row is gone, or too large to be a release")
            return bytes(db.execute(sql.select(_releases.c.body).where(row)).scalar_one())
