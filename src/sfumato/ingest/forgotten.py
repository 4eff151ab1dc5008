r"""Who was forgotten and when, as keyed hashes: what they had written by then is not taken in again.

    offset  bytes
    0       8     magic `SFGONE1\n`
    8       24    for each: keyed hash (16), seconds since 1970 (8, big-endian)

Nobody can be looked up in it without the root key, and it holds nothing else of them.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.errors import StorageError
from sfumato.model.private import Private
from sfumato.vault import durable

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.ingest.pseudonym import Pseudonyms
    from sfumato.model.conversation import Conversation

MAGIC = b"SFGONE1\n"
SUFFIX = ".gone"
_ENTRY = struct.Struct(">16sQ")


class Forgotten(Private):
    """The list of one dataset, as it was when it was opened."""

    __slots__ = ("_path", "_pseudonyms", "_when")

    def __init__(self, folder: Path, pseudonyms: Pseudonyms, *, dataset: str) -> None:
        """folder: `Layout.forgotten`.

        Raises:
            StorageError: the list is damaged or can't be read: whether somebody is on it can't be told.
        """
        self._path = folder / f"{dataset}{SUFFIX}"
        self._pseudonyms = pseudonyms
        self._when = self._read()

    def add(self, person: bytes, moment: datetime) -> None:
        """Put a pseudonym on the list; on the disk before this returns. Repeatable: the last moment counts.

        Raises:
            StorageError: it could not be written.
        """
        with durable.locked(durable.directory(self._path.parent)):
            tag = self._pseudonyms.tombstone(person)
            self._when = self._read()
            self._when[tag] = max(self._when.get(tag, 0), int(moment.timestamp()))
            entries = [_ENTRY.pack(*entry) for entry in sorted(self._when.items())]
            durable.write(self._path, [MAGIC, *entries])

    def covers(self, conversation: Conversation) -> bool:
        """Whether it is of somebody forgotten, from before that; one without a date is taken to be from before."""
        if not self._when:
            return False
        moment = self._when.get(self._pseudonyms.tombstone(conversation.unit_id))
        if moment is None:
            return False
        return conversation.timestamp is None or conversation.timestamp <= datetime.fromtimestamp(moment + 1, UTC)

    def _read(self) -> dict[bytes, int]:
        if not self._path.exists():
            return {}
        with durable.storage(self._path), durable.reading(self._path) as file:
            content = file.read()
        body = content[len(MAGIC) :]
        if not content.startswith(MAGIC) or len(body) % _ENTRY.size:
            raise StorageError(
                f"{self._path.name}, the list of who was forgotten, is damaged: restore it from a backup"
            )
        return dict(_ENTRY.iter_unpack(body))
