"""The one way to name a database: a PostgreSQL URL whose password is never shown."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sfumato.errors import InputError

ENVIRONMENT = "SFUMATO_DATABASE"
_FORM = "postgresql+psycopg://user@host/name"


def parse(text: str) -> URL:
    """The URL, which SQLAlchemy shows with its password masked.

    Raises:
        InputError: it names no PostgreSQL database; the message repeats nothing of it.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError(f"--database is not a URL such as {_FORM}") from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise InputError(f"--database must be a PostgreSQL URL such as {_FORM}; left out, SQLite files are used")
    if "@" in f"{url.username or ''}{url.host or ''}{url.database or ''}":  # the rest of a password, or it seems so
        raise InputError("--database: write an @ in the user's name or password as %40")
    if "password" in url.query:
        raise InputError(f"--database: the password stands before the host, as in {_FORM.replace('@', ':password@')}")
    if not url.database:
        raise InputError(f"--database names no database: its form is {_FORM}")
    return url.set(drivername="postgresql+psycopg")


def shown(url: URL) -> str:
    """The URL for the operator's eyes."""
    return url.render_as_string(hide_password=True)
