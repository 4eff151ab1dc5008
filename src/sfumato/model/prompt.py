"""What is asked of a language model and what comes back: one question, one JSON object or the reason there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sfumato.model.strict_json import Json

Failure = Literal["refused", "truncated", "malformed", "rejected", "unavailable"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Prompt(Private):
    """One question. It may hold a conversation, so it never shows itself.

    system: instructions, the same for every prompt of a step (what a provider may cache). text: what is asked about.
    schema: JSON Schema of the object that is to come back. max_tokens: of the reply.
    """

    system: str
    text: str
    schema: Mapping[str, Json]
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one reply, as the provider counts them; `batch` ones cost half."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reply(Private):
    """The object that came back, not yet checked against anything, or why there is none.

    failure: `refused` by the model, `truncated` at max_tokens, `malformed` JSON, `rejected` by the provider as a
    request (too long, not acceptable), `unavailable` after every retry. All of them are about this one prompt: what is
    wrong with the endpoint as a whole is raised.
    """

    fields: Mapping[str, Json] | None
    failure: Failure | None = None
    usage: Usage = Usage()


class Model(Protocol):
    """A language model behind some endpoint. Batch in, batch out."""

    def complete(
        self, prompts: Sequence[Prompt], *, arrived: Callable[[int, Reply], None] | None = None
    ) -> Sequence[Reply]:
        """One reply for each prompt, in order.

        arrived: told each reply and its place as soon as it is there, in any order, from the calling thread.

        Raises:
            ModelUnavailable: the endpoint can't be used: wrong key, no such model, nobody answers.
            Refused: the policy's spend cap would be passed by going on.
        """
        ...
