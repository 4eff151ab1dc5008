"""PRIVATE. A conversation between its arrival and its extraction: text that nothing may print, format or pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PSEUDONYM_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message(Private):
    """One turn. `role` is `user`, `assistant`, `system` or `tool`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Conversation(Private):
    """One conversation, its ids already keyed hashes (16 bytes each).

    `unit_id` is the pseudonym of the unit of privacy: of the user, or of the conversation itself
    where the policy's unit is the conversation.
    """

    conversation_id: bytes
    unit_id: bytes
    messages: tuple[Message, ...]
    timestamp: datetime | None = None
    attributes: Mapping[str, str]
