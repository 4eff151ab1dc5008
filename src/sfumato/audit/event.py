"""What an entry of the audit log may hold: closed words, digests, ids and charges; nothing that a person wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NoReturn, get_args

from sfumato.errors import InputError
from sfumato.model.strict_json import SAFE_INTEGER, Json, JsonObject, Node, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

FORMAT = "sfumato.audit/1"
Operation = Literal[
    "ingest", "extract", "discard", "release", "read", "query", "quote", "policy_change", "key_create", "key_revoke",
    "key_rotate", "sweep", "forget", "ledger_read", "audit_read", "denied",
]  # fmt: skip
Role = Literal["analyst", "auditor", "ingester", "admin"]
Measure = Literal["users", "conversations", "mean"]
Outcome = Literal["allow", "deny"]
OPERATOR, SYSTEM, NOBODY = "operator", "system", "nobody"
MOST_NAMES = 64
_NUMBER = b'"seq":0'  # no value holds a quotation mark, so the entry's number is the first of these

_KEY_ID = "[0-9a-f]{16}"
_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_PATTERNS = {
    "actor": f"{_KEY_ID}|{OPERATOR}|{SYSTEM}|{NOBODY}",
    "role": "|".join(get_args(Role)),
    "operation": "|".join(get_args(Operation)),
    "decision": "|".join(get_args(Outcome)),
    "rule": r"[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31}){0,3}",
    "policy": "[0-9a-f]{64}",
    "release": "rel_[0-9a-f]{20}",
    "receipt": "[0-9a-f]{32}",
    "key": _KEY_ID,
    "epoch": "[0-9]{4}(-[0-9]{2}(-[0-9]{2})?|-W[0-9]{2}|-Q[1-4])?",
    "dataset": _NAME,
    "time": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
}
_OPTIONAL = ("role", "policy", "release", "receipt", "key", "epoch", "dataset", "shape", "charge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What kind of question was asked, never its values.

    by, where: names of declared facets (`topic` included). topics: ids of released topics.
    """

    measure: Measure
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _match(self.measure, "|".join(get_args(Measure)), "shape.measure")
        for name in ("by", "where", "topics"):
            names: object = getattr(self, name)
            if type(names) is not tuple or len(names) > MOST_NAMES:
                _refuse(f"shape.{name}")
            for one in names:
                _match(one, _NAME, f"shape.{name}")

    @classmethod
    def of(
        cls,
        measure: Measure,
        *,
        by: Iterable[str] = (),
        where: Iterable[str] = (),
        topics: Iterable[str] = (),
        declared: Collection[str],
        released: Collection[str] = (),
    ) -> Shape:
        """The shape of a question whose every name is declared by the policy or released already.

        Raises:
            ValueError: a name is neither, so it could be anything its author typed.
        """
        shape = cls(measure=measure, by=tuple(by), where=tuple(where), topics=tuple(topics))
        if not {*shape.by, *shape.where} <= {*declared} or not {*shape.topics} <= {*released}:
            raise ValueError("an audit entry names only declared facets and released topics")
        return shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What it cost, in nano units of rho and delta."""

    rho: int
    delta: int

    def __post_init__(self) -> None:
        for name in ("rho", "delta"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= SAFE_INTEGER:
                _refuse(f"charge.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One decision. Anything but closed words, digests, ids and nano units raises ValueError.

    time: `2026-11-21T06:50:00Z`, whole seconds, UTC. actor: the id of an API key, or operator, system, nobody; only a
    key has a role. rule: the field of the policy, or the reason, that decided. key: the API key that was acted upon.
    """

    time: str
    actor: str
    operation: Operation
    decision: Outcome
    rule: str
    role: Role | None = None
    policy: str | None = None
    dataset: str | None = None
    epoch: str | None = None
    release: str | None = None
    receipt: str | None = None
    key: str | None = None
    shape: Shape | None = None
    charge: Charge | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise ValueError, naming the field and never its value, unless every field is of its kind."""
        for name, pattern in _PATTERNS.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                _match(value, pattern, name)
        for value, kind, name in ((self.shape, Shape, "shape"), (self.charge, Charge, "charge")):
            if value is not None and type(value) is not kind:
                _refuse(name)
        try:
            datetime.fromisoformat(self.time)
        except ValueError:
            _refuse("time")
        if (self.role is not None) != (re.fullmatch(_KEY_ID, self.actor) is not None):
            raise ValueError("an audit entry has a role exactly where an API key acts")
        if self.decision == "deny" and self.charge is not None:
            raise ValueError("an audit entry charges nothing for what was denied")
        if self.operation == "denied" and self.decision != "deny":
            raise ValueError("an audit entry of a denied request is a denial")


def utc(moment: datetime) -> str:
    """A moment as entries and checkpoints write it: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(event: Event, seq: int) -> bytes:
    """The entry as it is stored and hashed: canonical JSON (RFC 8785), absent fields left out. seq counts from 0."""
    before, after = _around(event)
    return b"%b%d%b" % (before, seq, after)


@lru_cache(maxsize=1000)
def _around(event: Event) -> tuple[bytes, bytes]:
    """The bytes before and after the entry's number. Equal events are checked and written out once: reads repeat."""
    event.check()
    document: JsonObject = {"format": FORMAT, "seq": 0}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Shape):
            names: JsonObject = {"by": list(value.by), "where": list(value.where), "topics": list(value.topics)}
            document["shape"] = names | {"measure": value.measure}
        elif isinstance(value, Charge):
            document["charge"] = {"rho": value.rho, "delta": value.delta}
        elif value is not None:
            document[field.name] = value
    before, number, after = dumps(document).partition(_NUMBER)
    return before + number[:-1], after


def decode(body: bytes) -> tuple[int, Event]:
    """Sequence number and event of a stored entry.

    Raises:
        InputError: not byte for byte what `encode` writes.
    """
    try:
        document = loads(body)
        Node(document.pop("format")).one_of(FORMAT)
        seq = Node(document.pop("seq")).whole(minimum=0)
        shape, charge = document.pop("shape", None), document.pop("charge", None)
        given: dict[str, Json] = {name: value for name, value in document.items() if value is not None}
        event = Event(
            **given,  # type: ignore[arg-type]  # `check` is what types them
            shape=None if shape is None else _shape(Node(shape)),
            charge=None if charge is None else _charge(Node(charge)),
        )
        if encode(event, seq) == body:
            return seq, event
    except (KeyError, TypeError, ValueError, InputError):
        pass
    raise InputError(f"not an entry of {FORMAT}")


def _shape(node: Node) -> Shape:
    found = node.fields("measure", "by", "where", "topics")
    names = {name: tuple(one.text() for one in found[name].items()) for name in ("by", "where", "topics")}
    return Shape(measure=found["measure"].text(), **names)  # type: ignore[arg-type]  # the same


def _charge(node: Node) -> Charge:
    found = node.fields("rho", "delta")
    return Charge(rho=found["rho"].whole(), delta=found["delta"].whole())


def _match(value: object, pattern: str, name: str) -> None:
    if type(value) is not str or re.fullmatch(pattern, value, re.ASCII) is None:
        _refuse(name)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"an audit entry's {name} holds what may not be there")
