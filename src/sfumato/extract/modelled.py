"""Extraction by a language model: each conversation becomes labels, codes and a vector by its own replies alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sfumato.extract import walk
from sfumato.extract.answers import Answer, lets_through, parse
from sfumato.extract.extractive import first_request
from sfumato.extract.facets import code, column
from sfumato.extract.language import UNKNOWN
from sfumato.extract.phrases import candidate_phrases
from sfumato.extract.window import transcript
from sfumato.model.extract import Extracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sfumato.embed.sentences import Embedder
    from sfumato.extract.facets import Facet
    from sfumato.extract.form import Form
    from sfumato.extract.questions import Questions
    from sfumato.extract.walk import Ask
    from sfumato.model.conversation import Conversation
    from sfumato.model.prompt import Reply


def extract(
    conversations: Sequence[Conversation],
    *,
    questions: Questions,
    embed: Embedder,
    ask: Ask,
    phrases_limit: int,
    keep_summaries: bool = False,
) -> Extracts:
    """One row for each conversation, in order; a row depends on its own conversation and its own replies alone.

    ask: one reply for each prompt, in order. phrases_limit: phrases kept of one conversation, best first. The phrases
    are the model's labels; where no label is left, the candidate phrases of the first request, so that a failed call
    silences nobody. The vector is of the summary, or without one of the first request. With a screener, what it does
    not let through, or does not answer, is a row without phrases, all `unknown`, with the zero vector. A conversation
    without text is not asked about.

    Raises:
        ModelUnavailable, Refused: from `ask` or the embedder.
    """
    texts = [transcript(conversation, window=questions.window) for conversation in conversations]
    relevant = _screened(texts, questions, ask)
    kept = np.flatnonzero(relevant).tolist() if relevant is not None else range(len(texts))
    held = _extracted(
        [conversations[row] for row in kept],
        _answers([texts[row] for row in kept], questions, ask),
        questions.facets,
        embed,
        phrases_limit,
    )
    found = held if relevant is None else _among(conversations, relevant, held, questions.facets)
    return found if keep_summaries else replace(found, summaries=())


def _screened(texts: Sequence[str], questions: Questions, ask: Ask) -> NDArray[np.bool_] | None:
    """(n,) whom the screener lets through; None without one."""
    screener = questions.screener()
    if screener is None:
        return None
    return np.array([lets_through(reply) for reply in _replies(screener, texts, ask)], dtype=np.bool_)


def _answers(texts: Sequence[str], questions: Questions, ask: Ask) -> list[Answer]:
    """The answers about each conversation, its paths walked to their ends."""
    found = [parse(reply, questions.facets) for reply in _replies(questions.main(), texts, ask)]
    begun = [
        (row, walk.begin(facet, facet.taxonomy, text, codes=answer.codes[facet.name]))
        for row, (text, answer) in enumerate(zip(texts, found, strict=True))
        for facet in questions.facets
        if facet.taxonomy is not None
    ]
    ended = walk.to_the_end([path for _, path in begun], ask)
    codes: list[dict[str, tuple[int, ...]]] = [dict(answer.codes) for answer in found]
    for (row, _), path in zip(begun, ended, strict=True):
        codes[row][path.facet.name] = path.codes
    return [replace(answer, codes=own) for answer, own in zip(found, codes, strict=True)]


def _replies(form: Form, texts: Sequence[str], ask: Ask) -> list[Reply | None]:
    """The replies to a form about each conversation; None about one without text."""
    asked = [form.about(text) for text in texts if text]
    replies = iter(ask(asked) if asked else ())
    return [next(replies) if text else None for text in texts]


def _extracted(
    conversations: Sequence[Conversation],
    answers: Sequence[Answer],
    facets: Sequence[Facet],
    embed: Embedder,
    phrases_limit: int,
) -> Extracts:
    """Rows of conversations that are all relevant. A request is looked for where something is to be read from it."""
    reads = not all(facet.is_asked for facet in facets)
    openings = [
        first_request(conversation) if reads or not (answer.labels and answer.summary) else ("", UNKNOWN)
        for conversation, answer in zip(conversations, answers, strict=True)
    ]
    rows = [(one, answer, *opening) for one, answer, opening in zip(conversations, answers, openings, strict=True)]
    return Extracts(
        conversation_ids=[conversation.conversation_id for conversation in conversations],
        unit_ids=[conversation.unit_id for conversation in conversations],
        phrases=[
            (answer.labels or candidate_phrases(request, language, limit=phrases_limit))[:phrases_limit]
            for _, answer, request, language in rows
        ],
        facets={
            facet.name: column(
                facet,
                [
                    answer.codes[facet.name]
                    if facet.is_asked
                    else (code(facet, conversation, text=request, language=language),)
                    for conversation, answer, request, language in rows
                ],
            )
            for facet in facets
        },
        vectors=embed.embed([answer.summary or request for _, answer, request, _ in rows]).astype(np.float16),
        summaries=[answer.summary for answer in answers],
    )


def _among(
    conversations: Sequence[Conversation], relevant: NDArray[np.bool_], held: Extracts, facets: Sequence[Facet]
) -> Extracts:
    """The rows of relevant conversations in their places; all others say nothing."""
    phrases: list[tuple[str, ...]] = [()] * len(conversations)
    summaries = [""] * len(conversations)
    vectors = np.zeros((len(conversations), held.vectors.shape[1]), dtype=np.float16)
    codes = {facet.name: column(facet, [(facet.unknown,)] * len(conversations)) for facet in facets}
    vectors[relevant] = held.vectors
    for name, own in held.facets.items():
        codes[name][relevant] = own
    for place, row in enumerate(np.flatnonzero(relevant).tolist()):
        phrases[row] = held.phrases[place]
        summaries[row] = held.summaries[place]
    return Extracts(
        conversation_ids=[conversation.conversation_id for conversation in conversations],
        unit_ids=[conversation.unit_id for conversation in conversations],
        phrases=phrases,
        facets=codes,
        vectors=vectors,
        relevant=relevant,
        summaries=summaries,
    )
