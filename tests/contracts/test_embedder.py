"""The contract of every embedder, the real ones and their stand-in: a text's vector depends on that text alone."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sfumato.embed.models import E5, MINILM
from sfumato.embed.sentences import SentenceEmbedder
from sfumato.embed.weights import find
from sfumato.errors import ModelUnavailable
from stand_ins import HashedEmbedder

WORDS = (
    "river",
    "stone",
    "copper",
    "lantern",
    "why",
    "how",
    "garden",
    "engine",
    "letter",
    "Monday",
    "salt",
    "invoice",
    "über",
    "雨",
    "بيت",
    "पानी",
    "loan",
    "pasta",
)
PROBES = [
    "",
    "hello",
    "how do I take rust off a copper lantern",
    "¿por qué se oxida el cobre? 雨の日 \U0001f327",
    "كيف أنظف مصباحا من النحاس؟",
    "तांबे का दीया कैसे साफ करूँ? rust",
    " ".join(WORDS[:9] * 5),
    " ".join(WORDS * 40),
    "half of a pair \ud800 alone",
]


def others(count: int, seed: int) -> list[str]:
    """Neighbours of many lengths."""
    drawn = random.Random(seed)
    return [" ".join(drawn.choices(WORDS, k=drawn.choice((1, 4, 9, 20, 45, 150)))) for _ in range(count)]


@pytest.fixture(
    scope="module", params=["hashed", *(pytest.param(name, marks=pytest.mark.model) for name in (MINILM.name, E5.name))]
)
def embedder(request):
    if request.param == "hashed":
        yield HashedEmbedder()
        return
    try:
        weights = find(model=request.param)
    except ModelUnavailable as reason:
        pytest.skip(str(reason))
    with SentenceEmbedder(weights, workers=1) as real:
        yield real


def bytes_of(vectors):
    return [row.tobytes() for row in vectors]


@pytest.fixture(scope="module")
def alone(embedder):
    """Each probe's bytes when it is embedded by itself."""
    return [embedder.embed([probe])[0].tobytes() for probe in PROBES]


def test_vectors_are_float32_rows_of_unit_length_in_the_order_of_the_texts(embedder, alone):
    vectors = embedder.embed(PROBES)
    assert vectors.shape == (len(PROBES), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)
    assert bytes_of(vectors) == alone
    assert len(set(alone)) == len(alone)


def test_no_texts_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, 384)


def test_a_vector_has_the_same_bytes_in_any_company_and_at_any_position(embedder, alone):
    company = others(20, seed=1)
    for start in (0, 16, 20):
        texts = [*company[:start], *PROBES, *company[start:]]
        assert bytes_of(embedder.embed(texts)[start : start + len(PROBES)]) == alone


def test_a_vector_has_the_same_bytes_in_any_order_and_beside_its_copies(embedder, alone):
    texts = PROBES * 6
    order = random.Random(3).sample(range(len(texts)), len(texts))
    vectors = embedder.embed([texts[place] for place in order])
    assert bytes_of(vectors) == [alone[place % len(PROBES)] for place in order]


def test_texts_that_share_words_lie_nearer_than_texts_that_share_none(embedder):
    near, also_near, far = embedder.embed(
        ["rust on a copper lantern", "the copper lantern has rust", "my loan invoice"]
    )
    assert near @ also_near > near @ far + 0.2
