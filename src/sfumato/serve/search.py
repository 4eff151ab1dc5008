"""Find topics by their released words: whole words, beginnings, parts, and words that are nearly alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.serve.fold import trigrams, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.model.release import Release, Topic

Where = Literal["name", "phrase", "description", "meaning"]
WEIGHTS: Mapping[Where, float] = {"name": 1.0, "phrase": 0.9, "description": 0.6}
WORDS_READ = 16  # of a query: what comes after is not searched for
PREFIX, PART, ALIKE = 0.8, 0.6, 0.5  # against 1 for the whole word; ALIKE times the likeness
SHORTEST = 2  # letters that a beginning or a part must have
NEAR = 0.4  # Dice coefficient of trigrams from which two words are nearly alike
FLOOR = 0.2  # a topic that scores less does not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A topic's place in the release, how well it answers (0 to 1) and where."""

    topic: int
    score: float
    where: Where


class Index:
    """The words of one release and where they stand. It holds released strings only."""

    def __init__(self, release: Release) -> None:
        self._places: dict[str, dict[int, Where]] = {}
        for number, topic in enumerate(release.topics):
            for where, text in texts(topic):
                for word in words(text):
                    held = self._places.setdefault(word, {})
                    if WEIGHTS[where] > WEIGHTS.get(held.get(number, "meaning"), 0.0):
                        held[number] = where
        self._by_trigram: dict[str, list[str]] = {}
        for word in self._places:
            for part in trigrams(word):
                self._by_trigram.setdefault(part, []).append(word)

    def find(self, text: str) -> list[Hit]:
        """Topics that answer, best first. A score is the mean over the query's words of the best each one finds."""
        asked = list(dict.fromkeys(words(text)))[:WORDS_READ]
        total: dict[int, float] = {}
        best: dict[int, tuple[float, Where]] = {}
        for word in asked:
            for topic, (score, where) in self._of_word(word).items():
                total[topic] = total.get(topic, 0.0) + score
                best[topic] = max(best.get(topic, (0.0, where)), (score, where))
        hits = [Hit(topic=one, score=score / len(asked), where=best[one][1]) for one, score in total.items()]
        return sorted((hit for hit in hits if hit.score >= FLOOR), key=lambda hit: (-hit.score, hit.topic))

    def _of_word(self, asked: str) -> dict[int, tuple[float, Where]]:
        """Each topic's best score for one word of the query."""
        found: dict[int, tuple[float, Where]] = {}
        for word, likeness in self._similar(asked).items():
            for topic, where in self._places[word].items():
                score = likeness * WEIGHTS[where]
                if score > found.get(topic, (0.0, where))[0]:
                    found[topic] = (score, where)
        return found

    def _similar(self, asked: str) -> dict[str, float]:
        """Words of the release that this one may mean, each with how much."""
        mine = trigrams(asked)
        shared: dict[str, int] = {}
        for part in mine:
            for word in self._by_trigram.get(part, ()):
                shared[word] = shared.get(word, 0) + 1
        alike = {word: 2 * count / (len(mine) + max(1, len(word))) for word, count in shared.items()}
        found = {word: ALIKE * dice for word, dice in alike.items() if dice >= NEAR}
        if len(asked) >= SHORTEST:
            found |= {word: PREFIX if word.startswith(asked) else PART for word in self._places if asked in word}
        if asked in self._places:
            found[asked] = 1.0
        return found


def texts(topic: Topic) -> Iterator[tuple[Where, str]]:
    """What a release says of a topic."""
    yield "name", topic.name
    for phrase in topic.phrases:
        yield "phrase", phrase.text
    yield "description", topic.description
