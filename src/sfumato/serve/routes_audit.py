"""The audit log for those who may read it: entries, signed checkpoints, and the proofs that join the two."""

from __future__ import annotations

import base64
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict

from sfumato.audit.event import encode
from sfumato.model.strict_json import loads
from sfumato.serve.reading import ABSENT

if TYPE_CHECKING:
    from sfumato.audit.event import Event
    from sfumato.audit.log import AuditLog
    from sfumato.serve.reading import Reading

PAGE = 1000
_TRIES = 5
Number = Annotated[int, Query(ge=0, le=2**53 - 1)]
Count = Annotated[int, Query(ge=1, le=PAGE)]
_NOTE: dict[int | str, dict[str, object]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "A signed note."}
}


class Shape(BaseModel):
    """Strict, and nothing in it that is not declared."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EntryShape(Shape):
    """One entry. The RFC 8785 bytes of `entry` are the leaf of the tree."""

    seq: int
    entry: dict[str, object]


class EntriesShape(Shape):
    """Entries from a number on, oldest first. size: entries there were. next: where to go on, null at the end."""

    size: int
    events: list[EntryShape]
    next: int | None


class HeadShape(Shape):
    """How long the log is, and the root of its tree in base64, which no signature covers yet."""

    size: int
    root: str


class KeptShape(Shape):
    """A checkpoint: the number of entries it signs, and the signed note."""

    size: int
    note: str


class CheckpointsShape(Shape):
    """Every checkpoint, oldest first, and the public keys that signed them, in the form verifiers of notes read."""

    keys: list[str]
    checkpoints: list[KeptShape]


class ProofShape(Shape):
    """Hashes in base64, in the order of RFC 6962, section 2.1."""

    first: int
    second: int
    hashes: list[str]


def router(reading: Reading, log: AuditLog) -> APIRouter:
    """`/v1/audit`."""
    found = reading.router("/v1/audit", "audit")

    @found.get("/events", responses=ABSENT)
    def events(first: Number = 0, limit: Count = 100) -> EntriesShape:
        """Entries from number `first` on."""
        size, _ = log.head()
        listed = list(_from(log, first, min(limit, max(0, size - first))))
        after = first + len(listed)
        return EntriesShape(size=size, events=listed, next=after if after < size else None)

    @found.get("/head")
    def head() -> HeadShape:
        """The log as it stands."""
        size, root = log.head()
        return HeadShape(size=size, root=base64.b64encode(root).decode())

    @found.get("/checkpoints")
    def checkpoints() -> CheckpointsShape:
        """What was signed, and by which keys. Keep the last one elsewhere: it is what later ones are held against."""
        with log.stored() as stored:
            kept = [KeptShape(size=size, note=note.decode()) for size, note in stored.notes]
            return CheckpointsShape(keys=[str(key) for key in stored.keys], checkpoints=kept)

    @found.get("/checkpoint", response_class=Response, responses={**ABSENT, **_NOTE})
    def checkpoint() -> Response:
        """The last signed note, byte for byte (c2sp.org/tlog-checkpoint)."""
        with log.stored() as stored:
            if not stored.notes:
                raise HTTPException(404)
            return Response(stored.notes[-1][1], media_type="text/plain; charset=utf-8")

    @found.get("/proofs/inclusion", responses=ABSENT)
    def inclusion(seq: Number, size: Number) -> ProofShape:
        """That entry `seq` is in the tree of the first `size` entries."""
        if not seq < size <= log.head()[0]:
            raise HTTPException(404)
        return _proof(seq, size, log.inclusion(seq, size))

    @found.get("/proofs/consistency", responses=ABSENT)
    def consistency(old: Number, new: Number) -> ProofShape:
        """That the tree of the first `old` entries is the beginning of that of the first `new`."""
        if not 0 < old <= new <= log.head()[0]:
            raise HTTPException(404)
        return _proof(old, new, log.consistency(old, new))

    return found


def _from(log: AuditLog, first: int, count: int) -> list[EntryShape]:
    """So many entries from this number on; the log is read from its end, which may move meanwhile."""
    for _ in range(_TRIES):
        if count <= 0:
            return []
        listed = list(islice(log.events(last=log.head()[0] - first), count))
        if listed and listed[0][0] == first:
            return [_shown(seq, event) for seq, event in listed]
    raise HTTPException(503)


def _shown(seq: int, event: Event) -> EntryShape:
    return EntryShape(seq=seq, entry=dict(loads(encode(event, seq))))


def _proof(first: int, second: int, hashes: list[bytes]) -> ProofShape:
    return ProofShape(first=first, second=second, hashes=[base64.b64encode(one).decode() for one in hashes])
