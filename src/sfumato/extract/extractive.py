"""Extraction without a language model: each conversation becomes phrases, facet codes and a vector, by itself alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.extract.facets import code, column
from sfumato.extract.language import detect
from sfumato.extract.phrases import candidate_phrases
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
    texts = [first_request(conversation) for conversation in conversations]
    languages = [detect(text) for text in texts]
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


def first_request(conversation: Conversation) -> str:
    """The user's opening: their first message and, while that only greets, up to two more; 4,000 characters at most.

    A message greets if it proposes fewer than two phrases. Without a message that has letters, the user's first one;
    nobody else's words are ever theirs. Lone surrogates, which no file can hold, become U+FFFD.
    """
    heads = [message.content[:READ_CHARACTERS] for message in conversation.messages if message.role == "user"]
    opening = ""
    for head in [head for head in heads if any(map(str.isalpha, head))][:OPENING_MESSAGES]:
        opening = f"{opening}\n{head}" if opening else head
        if len(candidate_phrases(head, detect(head), limit=2)) > 1:
            break
    text = (opening or next(iter(heads), ""))[:READ_CHARACTERS]
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
