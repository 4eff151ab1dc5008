"""API keys: issued once, stored as keyed hashes, looked up in the same time whether they exist or not."""

from __future__ import annotations

import hmac
import math
import os
import re
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast, get_args
from urllib.parse import quote

import sqlalchemy as sql

from sfumato.database import migrate, server, version
from sfumato.database.failures import translated
from sfumato.errors import InputError, KeyMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import URL

Role = Literal["analyst", "auditor", "ingester", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
Reason = Literal["known", "no_key", "unknown_key", "revoked", "expired", "bad_token", "no_role", "several_roles"]
Change = Literal["key_create", "key_revoke", "key_rotate"]
PEPPER_BYTES = SECRET_BYTES = 32
BUSY_SECONDS = 5
_WHAT = "the store of API keys"
LASTS = 10.0  # seconds, at most: a clock may be set
PREFIX = "sfk_"
_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = "0" * 16


def _table(name: str) -> sql.Table:
    return sql.Table(
        name,
        sql.MetaData(),
        sql.Column("id", sql.String, primary_key=True),
        sql.Column("mac", sql.String, nullable=False),
        sql.Column("role", sql.String, nullable=False),
        sql.Column("created", sql.String, nullable=False),
        sql.Column("expires", sql.String),
        sql.Column("revoked", sql.Boolean, nullable=False),
    )


_IN_FILE, _ON_SERVER = _table("keys"), _table("api_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking: the id of the key, or that of a token's subject, and the role."""

    key_id: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What became of a token; a principal stands behind `known` only.

    lasts: seconds for which the same would be found, as long as no key is changed; None where that isn't known.
    """

    reason: Reason
    principal: Principal | None = None
    lasts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key as it may be listed: everything but its hash."""

    id: str
    role: Role
    created: str
    expires: str | None
    revoked: bool


def unheard(_change: Change, _identity: str) -> None:
    """Nobody is told."""


class ApiKeys:
    """The keys in `DATA/access.db` or a server's database, hashed under the pepper in `DATA/access.pepper`.

    `witness` is told of every change, with the id of the key, before it holds; where it raises, nothing is changed.
    """

    def __init__(self, engine: sql.Engine, pepper: bytes, now: Callable[[], datetime]) -> None:
        self.witness: Callable[[Change, str], None] = unheard
        self._engine = engine
        self._keys = _ON_SERVER if engine.dialect.name == "postgresql" else _IN_FILE
        self._pepper = pepper
        self._now = now

    @classmethod
    def open(
        cls, data: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, url: URL | None = None
    ) -> ApiKeys:
        """Open for issuing and revoking; makes the file and the pepper when neither is there.

        url: a server's database in place of the file. The pepper lies in the data directory all the same, so that
        who has the one has not the other.

        Raises:
            KeyMissing: keys exist but the pepper is gone, or others than its owner can read it.
            StorageError: the database can't be written.
        """
        database, pepper = data / "access.db", data / "access.pepper"
        with translated(_WHAT):
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if url is not None:
                return cls._first_on_server(url, pepper, now)
            if not database.exists() and not pepper.exists():
                _write_secret(pepper, secrets.token_bytes(PEPPER_BYTES))
            secret = _read_pepper(pepper)
            migrate.sqlite(database, "keys")
        return cls(_engine(database, "rw"), secret, now)

    @classmethod
    def _first_on_server(cls, url: URL, pepper: Path, now: Callable[[], datetime]) -> ApiKeys:
        engine = server.ready(url)
        try:
            with engine.connect() as db:
                unused = db.execute(sql.select(_ON_SERVER.c.id).limit(1)).first() is None
            if unused and not pepper.exists():
                _write_secret(pepper, secrets.token_bytes(PEPPER_BYTES))
            return cls(engine, _read_pepper(pepper), now)
        except BaseException:
            engine.dispose()
            raise

    @classmethod
    def read_only(
        cls, data: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, url: URL | None = None
    ) -> ApiKeys:
        """Open for looking keys up; nothing can be written through the file, nor by the role that serves.

        Raises:
            KeyMissing: no key was ever issued here, or others can read the pepper.
            StorageError: the server's database can't be used.
        """
        if url is not None:
            with translated(_WHAT):
                pepper = _read_pepper(data / "access.pepper")
                return cls(server.ready(url), pepper, now)
        database = data / "access.db"
        if not database.exists():
            raise KeyMissing("no API key was issued yet; issue one before serving")
        version.refuse_newer(migrate.of_file(database))
        return cls(_engine(database, "ro"), _read_pepper(data / "access.pepper"), now)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def issue(self, role: str, *, expires: datetime | None = None) -> str:
        """Make a key and return its token, which is shown this once and stored nowhere.

        Raises:
            InputError: no such role, or an expiry without a time zone or in the past.
        """
        if role not in ROLES:
            raise InputError(f"an API key's role is one of {', '.join(ROLES)}")
        if expires is not None and (expires.tzinfo is None or expires <= self._now()):
            raise InputError("an API key must expire in the future, at a time with its time zone")
        with translated(_WHAT), self._engine.begin() as db:
            return self._insert(db, role, None if expires is None else _written(expires))

    def revoke(self, identity: str) -> bool:
        """Refuse this key from now on. False when there is no such key."""
        with translated(_WHAT), self._engine.begin() as db:
            found = bool(db.execute(self._change(identity).values(revoked=True)).rowcount)
            if found:
                self.witness("key_revoke", identity)
            return found

    def rotate(self, identity: str, *, overlap: timedelta) -> str | None:
        """A new key of the same role and expiry, returned as `issue` does; None when there is no such living key.

        overlap: how long the old one still works, so that its holder can change over; zero ends it at once.
        """
        ends = _written(self._now() + overlap)
        with translated(_WHAT), self._engine.begin() as db:
            row = db.execute(sql.select(self._keys).where(self._keys.c.id == identity)).mappings().one_or_none()
            if row is None or row["revoked"] or _past(row["expires"], self._now()):
                return None
            last = ends if row["expires"] is None else min(ends, row["expires"], key=datetime.fromisoformat)
            db.execute(self._change(identity).values(expires=last))
            self.witness("key_rotate", identity)
            return self._insert(db, row["role"], row["expires"])

    def _change(self, identity: str) -> sql.Update:
        return self._keys.update().where(self._keys.c.id == identity)

    def _insert(self, db: sql.Connection, role: str, expires: str | None) -> str:
        """A new key's row; its token."""
        identity, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
        row = {
            "id": identity,
            "mac": self._mac(identity, secret),
            "role": role,
            "created": _written(self._now()),
            "expires": expires,
            "revoked": False,
        }
        db.execute(self._keys.insert().values(**row))
        self.witness("key_create", identity)
        return f"{PREFIX}{identity}_{secret}"

    def records(self) -> list[KeyRecord]:
        """Every key ever issued, oldest first."""
        columns = [self._keys.c[name] for name in KeyRecord.__dataclass_fields__]
        with translated(_WHAT), self._engine.connect() as db:
            found = db.execute(sql.select(*columns).order_by(self._keys.c.created, self._keys.c.id)).mappings()
            return [KeyRecord(**row) for row in found]

    def authenticate(self, token: str | None) -> Principal | None:
        """Who holds this token, if anybody does."""
        return self.examine(token).principal

    def examine(self, token: str | None) -> Examination:
        """As `authenticate`, with the reason. Any token, known or not, costs one look-up, one hash, one comparison."""
        parsed = _TOKEN.fullmatch(token or "")
        identity, secret = parsed.groups() if parsed else (_NOBODY, "")
        with translated(_WHAT), self._engine.connect() as db:
            row = db.execute(sql.select(self._keys).where(self._keys.c.id == identity)).mappings().one_or_none()
        genuine = hmac.compare_digest(self._mac(identity, secret), row["mac"] if row else "0" * 64)
        if not token:
            return Examination(reason="no_key")
        if row is None or not genuine:
            return Examination(reason="unknown_key")
        if row["revoked"]:
            return Examination(reason="revoked")
        left = _left(row["expires"], self._now())
        if left <= 0:
            return Examination(reason="expired")
        found = Principal(key_id=identity, role=cast("Role", row["role"]))
        return Examination(reason="known", principal=found, lasts=min(left, LASTS))

    def _mac(self, identity: str, secret: str) -> str:
        return hmac.digest(self._pepper, f"{identity}:{secret}".encode(), "sha256").hex()


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _past(expires: str | None, now: datetime) -> bool:
    return _left(expires, now) <= 0


def _left(expires: str | None, now: datetime) -> float:
    """Seconds until a key expires."""
    return math.inf if expires is None else (datetime.fromisoformat(expires) - now).total_seconds()


def _engine(path: Path, mode: Literal["rw", "ro"]) -> sql.Engine:
    """A connection per look-up, so that a restored database is seen; a rollback journal, so that `ro` works."""
    location = f"file:{quote(str(path.resolve()))}?mode={mode}&immutable=0"

    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(location, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        opened.execute("PRAGMA secure_delete=ON")
        return opened

    return sql.create_engine("sqlite://", creator=connect, poolclass=sql.NullPool)


def _write_secret(path: Path, secret: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)


def _read_pepper(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyMissing(
                f"{path.name} can be read by others; run chmod 600 on it, and issue new keys if it was shared"
            )
        pepper = path.read_bytes()
    except OSError:
        raise KeyMissing(
            f"{path.name} is missing or unreadable; restore it, or remove access.db and issue new keys"
        ) from None
    if len(pepper) != PEPPER_BYTES:
        raise KeyMissing(f"{path.name} is not {PEPPER_BYTES} bytes long; restore it from a backup")
    return pepper
