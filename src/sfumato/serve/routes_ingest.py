"""Conversations in, write-only: sealed to a key that this process can't open, and answered with line numbers alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict

from sfumato.errors import KeyMissing
from sfumato.serve import problems
from sfumato.serve.deliveries import Conflict, Delivery, deliver

if TYPE_CHECKING:
    from sfumato.inbox.folder import Inbox
    from sfumato.serve.reading import Reading

BODY_BYTES = 16 << 20
MEDIA_TYPES = {"application/x-ndjson", "application/jsonl"}
Dataset = Annotated[str, Query(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
IdempotencyKey = Annotated[str, Header(pattern="^[A-Za-z0-9_-]{16,128}$")]
_BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": {"schema": {"type": "string", "description": "One JSON object a line."}}},
    }
}


class DeliveredShape(BaseModel):
    """What became of each line: counts by reason, and the first 20 line numbers for each; never what stood there."""

    model_config = ConfigDict(extra="forbid", strict=True)
    lines: int
    accepted: int
    rejections: dict[str, int]
    first_lines: dict[str, list[int]]


async def _body(request: Request) -> bytes:
    """The body, as long as it may be.

    Raises:
        HTTPException: 413, 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise HTTPException(415)
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > BODY_BYTES:
            raise HTTPException(413)
    return bytes(read)


def router(reading: Reading, inbox: Inbox) -> APIRouter:
    """`POST /v1/conversations`."""
    found = reading.router("/v1/conversations", "ingest")

    @found.post("", status_code=202, responses=problems.responses(409, 413, 415, 422, 429), openapi_extra=_BODY)
    def conversations(
        request: Request,
        body: Annotated[bytes, Depends(_body)],
        idempotency_key: IdempotencyKey,
        dataset: Dataset = "conversations",
    ) -> DeliveredShape:
        """Deliver conversations, NDJSON. The same key and body again: the same answer; another body: 409."""
        sender = request.state.decision.principal.key_id
        delivery = Delivery(sender=sender, dataset=dataset, key=idempotency_key, body=body)
        try:
            report = deliver(delivery, inbox)
        except Conflict:
            raise HTTPException(409) from None
        except KeyMissing:
            raise HTTPException(503) from None
        if report.accepted == 0:
            raise HTTPException(422)
        return DeliveredShape.model_validate(asdict(report))

    return found
