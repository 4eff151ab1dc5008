"""Find topics by what their released words mean: vectors of released strings against the vector of the query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.serve.search import FLOOR, Hit, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.model.release import Release
    from sfumato.serve.ports import EmbedPort

NEAR = 0.3  # cosine from which a topic answers by its meaning alone


class Meanings:
    """A release's topics as unit vectors, (topics, d); one text a topic: its name, phrases and description."""

    def __init__(self, release: Release, embed: EmbedPort) -> None:
        self._embed = embed
        self._topics = _units(embed, ["; ".join(text for _, text in texts(topic)) for topic in release.topics])

    def likeness(self, text: str) -> NDArray[np.float64]:
        """Cosine of the query with each topic: (topics,)."""
        found: NDArray[np.float64] = self._topics @ _units(self._embed, [text])[0]
        return found


def joined(words: list[Hit], likeness: NDArray[np.float64]) -> list[Hit]:
    """Topics that answer by their words or by their meaning, best first; a score is the better of the two."""
    by_word: Mapping[int, Hit] = {hit.topic: hit for hit in words}
    hits = [hit for hit in words if hit.score >= likeness[hit.topic]]
    for topic, cosine in enumerate(likeness.tolist()):
        known = by_word.get(topic)
        if cosine >= max(NEAR, FLOOR) and (known is None or cosine > known.score):
            hits.append(Hit(topic=topic, score=min(1.0, cosine), where=known.where if known else "meaning"))
    taken = {hit.topic for hit in hits}
    hits += [hit for hit in words if hit.topic not in taken]
    return sorted(hits, key=lambda hit: (-hit.score, hit.topic))


def _units(embed: EmbedPort, texts: list[str]) -> NDArray[np.float64]:
    import numpy as np

    vectors = np.asarray(embed(texts), np.float64).reshape(len(texts), -1)
    units: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return units
