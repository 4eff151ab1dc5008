"""A model that remembers: each answer is written down as it comes, so that a stopped run pays for none twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING

import rfc8785

from sfumato.errors import ModelUnavailable
from sfumato.model.private import Private
from sfumato.model.prompt import Prompt, Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sfumato.model.prompt import Model
    from sfumato.model.strict_json import Json
    from sfumato.vault.journal import Journal


TRIES = 2
_QUOTED = json.JSONEncoder(ensure_ascii=False)
_USED = tuple(field.name for field in fields_of(Usage))
FORMS = 256  # schemas whose canonical form is at hand; a walk through a tree has one for each node


class Remembering(Private):
    """A model behind the journal of one segment.

    Two prompts that are the same to the letter are two questions, told apart by their order: no conversation is ever
    given another one's answer. `heard` is told of every answer that is new.
    """

    __slots__ = ("_asked", "_forms", "_heard", "_journal", "_model")

    def __init__(self, model: Model, journal: Journal, *, heard: Callable[[Reply], None]) -> None:
        self._model = model
        self._journal = journal
        self._heard = heard
        self._asked: Counter[bytes] = Counter()
        self._forms: dict[int, tuple[Mapping[str, Json], bytes]] = {}

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply for each prompt, in order; only what no earlier run was answered is sent.

        Raises:
            ModelUnavailable: the endpoint can't be used. Refused: the spend cap is reached. What was answered is kept.
        """
        keys = [self._key(prompt) for prompt in prompts]
        known = [self._journal.get(key) for key in keys]
        replies = [None if answer is None else _decoded(answer) for answer in known]
        missing = [place for place, reply in enumerate(replies) if reply is None]

        def arrived(number: int, reply: Reply) -> None:
            if reply.failure != "unavailable":  # it cost nothing, and may be there the next time
                self._journal.put(keys[missing[number]], _encoded(reply))
            self._heard(reply)

        for _ in range(TRIES):
            if not missing:
                break
            fresh = self._model.complete([prompts[place] for place in missing], arrived=arrived)
            for place, reply in zip(missing, fresh, strict=True):
                replies[place] = reply
            # once more without the others: what failed beside a question that breaks a server may not be lost with it
            missing = [place for place in missing if (found := replies[place]) and found.failure == "unavailable"]
        return [reply for reply in replies if reply is not None]

    def _key(self, prompt: Prompt) -> bytes:
        schema = self._canonical(prompt.schema)
        content = (_string(prompt.system), _string(prompt.text), schema, b"%d" % prompt.max_tokens)
        question = hashlib.sha256(b"[" + b",".join(content) + b"]").digest()
        self._asked[question] += 1
        return hashlib.sha256(question + self._asked[question].to_bytes(8, "big")).digest()

    def _canonical(self, schema: Mapping[str, Json]) -> bytes:
        """As canonical JSON; worked out once for each form, whose prompts share one schema."""
        held = self._forms.get(id(schema))
        if held is None:
            if len(self._forms) >= FORMS:
                self._forms.clear()
            held = self._forms[id(schema)] = schema, rfc8785.dumps(dict(schema))
        return held[1]


def _string(text: str) -> bytes:
    """As RFC 8785 has it, at the speed of the standard library, which escapes the same characters the same way."""
    return _QUOTED.encode(text).encode()


def _encoded(reply: Reply) -> bytes:
    fields = None if reply.fields is None else dict(reply.fields)
    return json.dumps(
        {"fields": fields, "failure": reply.failure, "usage": {name: getattr(reply.usage, name) for name in _USED}}
    ).encode()


def _decoded(answer: bytes) -> Reply:
    held = json.loads(answer)
    return Reply(fields=held["fields"], failure=held["failure"], usage=Usage(**held["usage"]))


class OnceGone(Private):
    """A model that is asked no more once it was gone: each further question would wait as long to find that out."""

    __slots__ = ("_gone", "_model")

    def __init__(self, model: Model) -> None:
        self._model = model
        self._gone: str | None = None

    def complete(
        self, prompts: Sequence[Prompt], *, arrived: Callable[[int, Reply], None] | None = None
    ) -> Sequence[Reply]:
        """As `Model`; after the first ModelUnavailable every call raises the same at once."""
        if self._gone is not None:
            raise ModelUnavailable(self._gone)
        try:
            return self._model.complete(prompts, arrived=arrived)
        except ModelUnavailable as error:
            self._gone = str(error)
            raise


PROBE = Prompt(
    system="Answer with the JSON object that is asked for.",
    text="Is this readable? Answer true.",
    schema={
        "type": "object",
        "properties": {"answer": {"type": "boolean"}},
        "required": ["answer"],
        "additionalProperties": False,
    },
    max_tokens=64,
)


def probe(model: Model) -> None:
    """Ask one question about nothing, so that a model that can't be used shows before anything is charged.

    Raises:
        ModelUnavailable: it can't. Refused: the spend cap is reached.
    """
    (reply,) = model.complete([PROBE])
    if reply.failure == "unavailable":
        raise ModelUnavailable(
            "the model that the policy names for names or the audit does not answer; run again later"
        )
