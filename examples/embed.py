"""sfumato inside a data platform's own program: `embed.py LOGS.db DATA EPOCH > release.json`.

Rows of a database go in, a signed release comes out. Here the database is SQLite and its table `messages`; any iterable
of records will do, one at a time: a cursor of PostgreSQL or BigQuery, a Parquet reader, a queue. SFUMATO_KEY_FILE names
the root key, as it does for the command line.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato import Deployment, open_gateway, rows
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY = "SELECT conversation, author, role, content FROM messages ORDER BY conversation, at"


def conversations(logs: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """One record a conversation, with the keys that a log file would have."""
    for conversation, said in groupby(logs.execute(QUERY), key=lambda row: row[0]):
        turns = list(said)
        messages = [{"role": role, "content": content} for _, _, role, content in turns]
        yield {"conversation_id": conversation, "user_id": turns[0][1], "messages": messages}


def release(logs: sqlite3.Connection, data: Path, epoch: str) -> bytes:
    """The epoch's release: made now, or the same bytes as before at no cost."""
    with open_gateway(Deployment.from_environment(data), policy="standard", epoch=epoch) as gateway:
        stored = gateway.stored()
        if stored is not None:
            return stored
        gateway.check_budget()
        report = gateway.ingest(rows(conversations(logs), name="messages"))
        print(report.summary(), file=sys.stderr)
        gateway.extract()  # destroys the key of the raw text
        return gateway.release()


def main() -> int:
    """Exit codes as the command line's: 3 where the policy refuses, 4 where the budget is spent."""
    logs, data, epoch = sys.argv[1:]
    try:
        with closing(sqlite3.connect(logs)) as connection:
            sys.stdout.buffer.write(release(connection, Path(data), epoch) + b"\n")
    except SfumatoError as failure:
        print(failure, file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":  # the processes that draw noise and make vectors import this file
    sys.exit(main())
