"""A database's errors as one line of ours: without the statement, its values, or anything of the connection's URL."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sfumato.errors import StorageError
from sfumato.model.disk import cause

if TYPE_CHECKING:
    from collections.abc import Iterator

MAY_NOT, NO_TABLE, LOCK_TIMEOUT = "42501", "42P01", "55P03"  # SQLSTATE


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise StorageError about `what` in the place of what SQLAlchemy and the drivers raise."""
    try:
        yield
    except DatabaseError as problem:
        raise StorageError(_line(what, problem)) from None
    except PoolTimeout:
        raise StorageError(f"{what} can't be used: too many connections are open at once; run again") from None
    except OSError as problem:
        raise StorageError(f"{what} can't be read or written: {cause(problem)}") from None


def _line(what: str, problem: DatabaseError) -> str:
    original = problem.orig
    if isinstance(original, sqlite3.Error):
        if isinstance(problem, OperationalError):
            return f"{what} can't be used ({original}); free the disk or the lock and run again"
        return f"{what} is damaged or unreadable ({original}); restore it from a backup"
    state: str | None = getattr(original, "sqlstate", None)
    message: str | None = getattr(getattr(original, "diag", None), "message_primary", None)
    if state is None or message is None:
        why = "the server refused the login" if "authentication failed" in str(original) else "no connection"
        return f"{what} can't be reached in the database ({why}); check its URL and the server, and run again"
    advice = {
        MAY_NOT: "connect as a member of the role that may",
        NO_TABLE: "run `sfumato db init` or `sfumato db migrate`",
        LOCK_TIMEOUT: "another process holds it; run again",
    }
    return f"{what} can't be used ({message}); {advice.get(state, 'see the server log and run again')}"
