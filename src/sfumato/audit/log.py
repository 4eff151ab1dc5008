"""The append-only log: what `append` returned for is on disk, in order, and under a tree that proves it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfumato.audit import anchor, rows, tree
from sfumato.audit.checkpoint import Checkpoint, Signer, read
from sfumato.audit.database import Database
from sfumato.audit.event import decode, encode
from sfumato.audit.home import Home
from sfumato.audit.replay import Tampered, replay
from sfumato.audit.turns import Turns
from sfumato.audit.verify import Stored
from sfumato.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import Connection

    from sfumato.audit.anchor import Anchor
    from sfumato.audit.checkpoint import LogKey
    from sfumato.audit.event import Event


class AuditLog:
    """One deployment's log. Safe for threads and for any number of processes at once."""

    def __init__(self, database: Database, home: Home, pinned: Path | None = None) -> None:
        self._database = database
        self._home = home
        self._pinned = pinned
        self._seen = 0
        self._turns = Turns(self.append_many)

    @classmethod
    def open(cls, directory: Path, *, url: str | None = None, pinned: Path | None = None) -> AuditLog:
        """Open for appending, made where it is not there, after checking all since the last checkpoint.

        directory: `Layout.audit`. url: a server's database in place of the file there. pinned: the last checkpoint
        known elsewhere (what `anchor.pin` writes), outside the data directory.

        Raises:
            Tampered: entries that a checkpoint, here or pinned, has signed are gone or changed; the tail is damaged.
            InputError: the pinned checkpoint can't be read.
            StorageError: the database can't be used, or a checkpoint is not signed by a key of this log.
        """
        home = Home(directory)
        home.create()
        log = cls(Database.url(url, create=True) if url else Database.sqlite(home.database, create=True), home, pinned)
        try:
            with log._database.reading() as db:
                log._seen = log._recent(db, home.keys()).size
        except BaseException:
            log.close()
            raise
        return log

    @classmethod
    def read_only(cls, directory: Path, *, url: str | None = None) -> AuditLog:
        """Open for reading, unchecked: for `show`, `verify` and `export`.

        Raises:
            InputError: there is no log.
        """
        home = Home(directory)
        if url is None and not home.database.exists():
            raise InputError(f"{directory}: no audit log here yet")
        return cls(Database.url(url, create=False) if url else Database.sqlite(home.database, create=False), home)

    def close(self) -> None:
        """Give back the database."""
        self._database.close()

    def signer(self, private: Ed25519PrivateKey) -> Signer:
        """Who signs this log's checkpoints with this key."""
        return Signer(self._home.origin(), private)

    def append(self, event: Event) -> int:
        """Write one event; its number, once it is on disk.

        Raises:
            ValueError: the event holds what may not be there.
            StorageError: it is not on disk; what was to be done must not go on.
        """
        event.check()
        return self._turns.write(event)

    def append_many(self, events: Sequence[Event]) -> range:
        """Write these events together, all or none; their numbers, once they are on disk.

        Raises:
            ValueError, StorageError: as `append`.
        """
        with self._database.writing() as db:
            first = rows.size(db)
            if first < self._seen:
                raise Tampered(first, "missing: the log was cut short while in use")
            frontier = rows.frontier(db, first)
            stored: list[tuple[int, bytes, bytes]] = []
            made: list[tuple[int, int, bytes]] = []
            for seq, event in enumerate(events, first):
                body = encode(event, seq)
                leaf = tree.leaf_hash(body)
                stored.append((seq, body, leaf))
                made += frontier.append(leaf)
            rows.add(db, stored, made)
        self._seen = max(self._seen, frontier.size)
        return range(first, frontier.size)

    def checkpoint(
        self, signer: Signer, *, time: str, anchors: Iterable[Anchor] = (), previous: Sequence[LogKey] = ()
    ) -> Checkpoint:
        """Sign the log as it is, after checking all since the last signature, and hand the note to each anchor.

        time: `2026-11-21T06:50:00Z`. previous: keys that signed this log before, where the key was changed; the keys
        beside the log are not asked. Where nothing was appended since, the last checkpoint is anchored again.

        Raises:
            Tampered: the log is not a continuation of what was signed before; nothing is signed.
            StorageError: it can't be stored, or an anchor failed: it is then stored here and not there.
        """
        trusted = (signer.key, *previous)
        with self._database.reading() as db:  # checked first: who appends need not wait for it
            frontier = self._recent(db, trusted)
        with self._database.writing() as db:
            note = rows.last_note(db)
            if note is None or read(note, trusted).size < frontier.size:
                root = frontier.root()
                note = signer.sign(Checkpoint(origin=signer.key.origin, size=frontier.size, root=root, time=time))
                self._home.remember(signer.key)
                rows.add_note(db, frontier.size, note)
        for hand_over in anchors:
            hand_over(note)
        return read(note, trusted)

    def head(self) -> tuple[int, bytes]:
        """Number of entries and root of their tree, from the stored hashes."""
        with self._database.reading() as db:
            frontier = rows.frontier(db, rows.size(db))
        return frontier.size, frontier.root()

    def events(self, *, last: int | None = None) -> Iterator[tuple[int, Event]]:
        """Number and event of each entry, oldest first, or of the last so many.

        Raises:
            Tampered: one of them is not an entry.
        """
        with self._database.reading() as db:
            first = 0 if last is None else max(0, rows.size(db) - last)
            for stored in rows.stored_entries(db, first):
                try:
                    yield decode(stored.body)
                except InputError:
                    raise Tampered(stored.seq, "not an entry of this log") from None

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The proof that entry `seq` is in the tree of the first `size` entries: hashes from the leaf up."""
        with self._database.reading() as db:
            return tree.inclusion(seq, size, lambda upto, level: rows.hash_at(db, upto, level))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of the first `old` entries is the beginning of that of the first `new`."""
        with self._database.reading() as db:
            return tree.consistency(old, new, lambda upto, level: rows.hash_at(db, upto, level))

    @contextmanager
    def stored(self) -> Iterator[Stored]:
        """All that is stored, as of one moment, for `verify` and `export`."""
        with self._database.reading() as db:
            yield Stored(
                keys=self._home.keys(),
                entries=rows.stored_entries(db, 0),
                nodes=rows.stored_nodes(db, 0),
                notes=tuple(rows.notes(db)),
            )

    def _recent(self, db: Connection, keys: Sequence[LogKey]) -> tree.Frontier:
        """The frontier at the end, once all since the older of last and pinned checkpoint is found as it must be."""
        known = [note for note in (rows.last_note(db), self._pinned and anchor.pinned(self._pinned)) if note]
        try:
            signed = sorted((read(note, keys) for note in known), key=lambda one: one.size)
        except InputError as problem:
            raise StorageError(f"the audit log does not go on: {problem}") from None
        first, count = signed[0].size if signed else 0, rows.size(db)
        if signed and signed[-1].size > count:
            raise Tampered(count, f"missing: a signed checkpoint counts {signed[-1].size} entries")
        entries, nodes = rows.stored_entries(db, first), rows.stored_nodes(db, first)
        return replay(rows.frontier(db, first), entries, nodes, signed)
