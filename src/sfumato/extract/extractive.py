"""Extraction without a language model: each conversation becomes phrases, facet codes and a vector, by itself alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.extract.facets import code, column
from sfumato.extract.language import detect
from sfumato.extract.phrases import candidate_phrases, proposes
from sfumato.model.extract import Extracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfumato.embed.sentences import Embedder
    from sfumato.extract.facets import Facet
    from sfumato.model.conversation import Conversation

READ_CHARACTERS = 4_000
OPENING_MESSAGES = 3


def extract(
    conversations: Sequence[Conversation], *, facets: Sequence[Facet], embed: Embedder, phrases_limit: int
) -> Extracts:
    """One row for each conversation, in order, whatever its text: a row depends on its own conversation alone.

    phrases_limit: candidate phrases kept of one conversation, best first. A conversation without text has no phrases
    and the vector of the empty text.

    Raises:
        ModelUnavailable: from the embedder.
    """
    openings = [first_request(conversation) for conversation in conversations]
    texts, languages = [text for text, _ in openings], [language for _, language in openings]
    codes = {
        facet.name: column(
            facet,
            [
                (code(facet, conversation, text=text, language=language),)
                for conversation, text, language in zip(conversations, texts, languages, strict=True)
            ],
        )
        for facet in facets
    }
    return Extracts(
        conversation_ids=[conversation.conversation_id for conversation in conversations],
        unit_ids=[conversation.unit_id for conversation in conversations],
        phrases=[
            candidate_phrases(text, language, limit=phrases_limit)
            for text, language in zip(texts, languages, strict=True)
        ],
        facets=codes,
        vectors=embed.embed(texts).astype(np.float16),
    )


def first_request(conversation: Conversation) -> tuple[str, str]:
    """The user's opening, 4,000 characters at most, and its language.

    It is their first message and, while that only greets, up to two more. A message greets if it proposes fewer than
    two phrases. Without a message that has letters, it is the user's first one; nobody else's words are ever theirs.
    Lone surrogates, which no file can hold, become U+FFFD.
    """
    heads = [message.content[:READ_CHARACTERS] for message in conversation.messages if message.role == "user"]
    opening, language = "", None
    for head in [head for head in heads if any(map(str.isalpha, head))][:OPENING_MESSAGES]:
        own = detect(head)
        opening, language = (f"{opening}\n{head}", None) if opening else (head, own)
        if proposes(head, own, least=2):
            break
    text = (opening or next(iter(heads), ""))[:READ_CHARACTERS]
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text, language if language and text == opening else detect(text)  # finding it out is half of the work
