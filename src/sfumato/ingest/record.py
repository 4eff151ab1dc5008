"""One parsed JSON record to one Conversation: found by the mapping, everything that was not asked for dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from sfumato.ingest.pseudonym import Pseudonyms, canonical
from sfumato.model.conversation import Conversation, Message
from sfumato.policy import decide

if TYPE_CHECKING:
    from sfumato.ingest.report import IngestReport, Rejection
    from sfumato.model.guarantee import Unit

ATTRIBUTE_CHARS = 64
MILLISECONDS_FROM = 10**11  # as seconds this is the year 5138, as milliseconds 1973
TEXT_PARTS = frozenset(("text", "input_text", "output_text"))
ROLES = {
    "user": "user", "human": "user", "customer": "user",
    "assistant": "assistant", "ai": "assistant", "model": "assistant", "bot": "assistant", "gpt": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """Which JSON key holds what. A name with dots is tried as it stands first, then as a path into objects.

    role, content, speaker: keys of a message. attributes: the object that holds declared attributes, which may also
    stand at the top level. wanted: the attributes to read; all others are dropped at the door.
    """

    conversation_id: str = "conversation_id"
    user_id: str = "user_id"
    messages: str = "messages"
    text: str = "text"
    timestamp: str = "timestamp"
    attributes: str = "attributes"
    role: str = "role"
    content: str = "content"
    speaker: str = "user_id"
    wanted: tuple[str, ...] = ()


class BadRecord(Exception):  # noqa: N818 - never leaves the package: a reason code, counted
    """This record can't be taken; the only argument is the reason code."""

    def __init__(self, reason: Rejection) -> None:
        super().__init__(reason)
        self.reason: Rejection = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Turns records of one source into conversations. `source` is the source's name without its folder.

    Whether a record may come in is the policy's decision; it is asked once for records with a user and once for those
    without, not for each.
    """

    mapping: FieldMapping
    unit: Unit
    pseudonyms: Pseudonyms = field(repr=False)
    report: IngestReport
    source: str
    _taken: frozenset[bool] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        taken = (known for known in (False, True) if decide.ingest_record(self.unit, has_user=known).allowed)
        object.__setattr__(self, "_taken", frozenset(taken))

    def conversation(self, record: object, line: bytes, number: int) -> Conversation:
        """One record as a conversation.

        The bytes of `line` make the id of a record that has none, and not its number: were it to depend on the place,
        one user's records would change which of another user's are sampled, and a second reading would count twice.
        Identical lines of one unit count once. `number` is for the report.

        Raises:
            BadRecord: with the reason code.
        """
        if not isinstance(record, dict):
            raise BadRecord("not_object")
        names = self.mapping
        messages, user = self._messages(record, canonical(_at(record, names.user_id)), number)
        given = canonical(_at(record, names.conversation_id))
        if (user is not None) not in self._taken:
            raise BadRecord("no_user")
        if self.unit == "user":
            unit_id = self.pseudonyms.user(cast("str", user))  # decided above
            own_id = self._id(given, line, unit_id)
        else:
            unit_id = own_id = self._id(given, line, b"")
        return Conversation(
            conversation_id=own_id,
            unit_id=unit_id,
            messages=messages,
            timestamp=self._time(_at(record, names.timestamp), number),
            attributes=self._attributes(record, number) if names.wanted else {},
        )

    def _id(self, given: str | None, content: bytes, within: bytes) -> bytes:
        if given is None:
            return self.pseudonyms.line(content, within=within)
        return self.pseudonyms.conversation(given, within=within)

    def _messages(
        self, record: dict[str, object], opener: str | None, number: int
    ) -> tuple[tuple[Message, ...], str | None]:
        """The turns that have text, and who opened the conversation: its user, or the first speaker named."""
        turns = _at(record, self.mapping.messages)
        if turns is None:
            text = _at(record, self.mapping.text)
            if isinstance(text, str) and not text.isspace() and text:
                return (Message(role="user", content=text),), opener
            raise BadRecord("no_text")
        if not isinstance(turns, list):
            raise BadRecord("bad_messages")
        messages = []
        for turn in turns:
            if not isinstance(turn, dict):
                raise BadRecord("bad_messages")
            role = self._role(turn.get(self.mapping.role), number)
            if role == "user" and (speaker := canonical(turn.get(self.mapping.speaker))) is not None:
                opener = speaker if opener is None else opener
                role = "user" if speaker == opener else "assistant"
            if text := text_of(turn.get(self.mapping.content)):
                messages.append(Message(role=role, content=text))
        if not any(message.role == "user" for message in messages):
            raise BadRecord("no_text")
        return tuple(messages), opener

    def _role(self, raw: object, number: int) -> str:
        """An unknown role is not the unit's: its words are never proposed as phrases."""
        if raw is None:
            return "user"
        if not isinstance(raw, str):
            raise BadRecord("bad_messages")
        role = ROLES.get(raw) or ROLES.get(raw.strip().lower())
        if role is None:
            self.report.warn("unknown_role", number)
            return "assistant"
        return role

    def _time(self, raw: object, number: int) -> datetime | None:
        if raw is None:
            return None
        time = time_of(raw)
        if time is None:
            self.report.warn("bad_timestamp", number)
        return time

    def _attributes(self, record: dict[str, object], number: int) -> dict[str, str]:
        held = _at(record, self.mapping.attributes)
        inner: dict[str, object] = held if isinstance(held, dict) else {}
        found: dict[str, str] = {}
        for name in self.mapping.wanted:
            raw = _at(inner, name)
            raw = _at(record, name) if raw is None else raw
            if raw is None:
                continue
            value = attribute_of(raw)
            if value is None:
                self.report.warn("odd_attribute", number)
            else:
                found[name] = value
        return found


def text_of(content: object) -> str:
    """The text of a turn: a string, or the text parts of a list of parts; empty where there is none.

    Raises:
        BadRecord: `bad_messages` for any other shape.
    """
    if isinstance(content, str):
        return "" if content.isspace() else content
    if content is None:
        return ""
    if not isinstance(content, list):
        raise BadRecord("bad_messages")
    texts = [
        text
        for part in content
        if isinstance(part, dict)
        and isinstance(kind := part.get("type"), str)
        and kind in TEXT_PARTS
        and isinstance(text := part.get("text"), str)
    ]
    joined = "\n".join(texts)
    return "" if joined.isspace() else joined


def time_of(raw: object) -> datetime | None:
    """ISO 8601 (UTC where it names no zone), or epoch seconds or milliseconds, in UTC; None for anything else."""
    try:
        if isinstance(raw, str):
            text = raw.strip()
            if len(text) <= 8 or not text.isdecimal():  # noqa: PLR2004 - eight digits are a date: 20260131
                time = datetime.fromisoformat(text)
                return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            raw = int(text)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return None
        return datetime.fromtimestamp(raw / 1000 if abs(raw) >= MILLISECONDS_FROM else raw, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def attribute_of(raw: object) -> str | None:
    """A scalar as short text; None for what is too long, empty or no scalar."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        raw = str(raw)
    if not isinstance(raw, str):
        return None
    text = raw.strip()
    return text if 0 < len(text) <= ATTRIBUTE_CHARS else None


def _at(record: dict[str, object], name: str) -> object:
    """The value under a key, or under a dotted path; None when absent."""
    value = record.get(name)
    if value is not None or "." not in name:
        return value
    value = record
    for key in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
