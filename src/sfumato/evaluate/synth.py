"""The synthetic corpus: labelled, multilingual conversations in time order, as records of a JSON-Lines log."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from sfumato.errors import InputError, StorageError
from sfumato.evaluate.canaries import canaries
from sfumato.evaluate.synth_people import (
    MOST_USERS,
    draw_order,
    draw_people,
    draw_times,
    draw_visits,
    month_start,
    plan_name,
    platform_name,
    user_id,
)
from sfumato.evaluate.synth_phrases import conversation
from sfumato.evaluate.synth_plants import personal, sentence
from sfumato.evaluate.synth_tree import MAIN_LANGUAGES, Mix, leaves, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

PERSONAL_SHARE = 0.05
"""Share of conversations in which somebody gives personal data away."""

_CHUNK = 4096
_LANGUAGES = tuple(MAIN_LANGUAGES)


def synthesize(
    *,
    conversations: int,
    users: int,
    seed: int,
    month: str = "2026-03",
    chatter: float = 1.0,
    of: Mix | None = None,
) -> Iterator[dict[str, Any]]:
    """Records in time order, the same for the same arguments; memory grows by a few bytes a conversation only.

    A record holds conversation_id, user_id, messages [{role, content}], timestamp, attributes {plan, platform}, and the
    truth: topic, area, domain, language, planted (every planted string it contains, canaries included). chatter: as for
    `synth_phrases.conversation`. of: left out, all topics and languages.

    Raises:
        InputError: fewer than one user, fewer conversations than users, too many users, or a malformed month.
    """
    if not 1 <= users <= min(conversations, MOST_USERS):
        raise InputError("a synthetic corpus needs at least one user, and at least as many conversations as users")
    month_start(month)
    return _records(conversations, users, seed, month, chatter, of or mix())


def _records(
    conversations: int, users: int, seed: int, month: str, chatter: float, of: Mix
) -> Iterator[dict[str, Any]]:
    draws = np.random.default_rng([abs(seed), int(seed < 0), 1])
    times = draw_times(conversations, month, np.random.default_rng([abs(seed), int(seed < 0), 2]))
    people = draw_people(users, of, draws)
    order = draw_order(conversations, users, draws)
    rng = Random(f"words {seed}")
    waiting = _carriers(seed, users)
    number = 0
    for at in range(0, conversations, _CHUNK):
        visits = draw_visits(people, order[at : at + _CHUNK], of, draws)
        columns = (visits.user, visits.topic, visits.language, visits.platform)
        for user, topic, language, platform in zip(*(c.tolist() for c in columns), strict=True):
            record = _record(topic, _LANGUAGES[language], waiting.pop(user, None), rng, chatter)
            yield {
                "conversation_id": f"c-{(number * 0x5851F42D4C95 + seed * 0x14057B7EF767) % (1 << 48):012x}",
                "user_id": user_id(user, seed=seed),
                "messages": record.pop("messages"),
                "timestamp": next(times),
                "attributes": {"plan": plan_name(int(people.plan[user])), "platform": platform_name(platform)},
                **record,
            }
            number += 1


def _carriers(seed: int, users: int) -> dict[int, str]:
    """The phrase that each carrying user still has to say."""
    return {
        canary.first_user + i: canary.phrase
        for canary in canaries(seed, users=users)
        for i in range(len(canary.carriers))
    }


def _record(topic: int, language: str, canary: str | None, rng: Random, chatter: float) -> dict[str, Any]:
    leaf = leaves()[topic]
    plants = personal(language, rng) if rng.random() < PERSONAL_SHARE else []
    if canary is not None:
        plants.append(("canary", canary))
    notes = [sentence(kind, value, language=language) for kind, value in plants]
    return {
        "messages": conversation(language, leaf.topic, rng, notes=notes, chatter=chatter),
        "topic": leaf.topic,
        "area": leaf.area,
        "domain": leaf.domain,
        "language": language,
        "planted": [value for _, value in plants],
    }


def write_jsonl(
    target: Path | TextIO,
    *,
    conversations: int,
    users: int,
    seed: int,
    month: str = "2026-03",
    chatter: float = 1.0,
    of: Mix | None = None,
) -> int:
    """Write the corpus, one record a line, to a file (replaced) or an open text stream; returns how many records.

    Raises:
        InputError: as `synthesize`.
        StorageError: the file can't be written.
    """
    records = synthesize(conversations=conversations, users=users, seed=seed, month=month, chatter=chatter, of=of)
    if not isinstance(target, Path):
        return _write(target, records)
    try:
        with target.open("w", encoding="utf-8") as stream:
            return _write(stream, records)
    except OSError as error:
        raise StorageError("the synthetic corpus can't be written there; check the folder and its space") from error


def _write(stream: TextIO, records: Iterator[dict[str, Any]]) -> int:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    count = 0
    for record in records:
        stream.write(encode(record) + "\n")
        count += 1
    return count
