"""Makes the package's `embed/learned.npz` again from our own texts in `texts/`: 25 minutes. Then run `changes.py`.

Each file of `texts/` says the same in one language: requests, three on each of 360 subjects; sentences that may stand
before a request; sentences that may stand after one; lines of dashes between them. They are combined, and four things
learned: which words of a combination belong to the request (logistic regression on their states), the mean vector over
languages, the directions in which the languages' means differ, and a linear map under which a request lies nearer to
its translation and to other requests on its subject than to requests on other subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from sfumato.embed import e5, packed
from sfumato.embed.models import E5
from sfumato.embed.network import WIDTH
from sfumato.embed.weights import find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sfumato.embed.packed import Packed

HERE = Path(__file__).parent
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "ja", "pt", "ru", "zh")
WITHOUT_SPACES = frozenset({"ja", "zh"})
ON_ONE_SUBJECT = 3  # requests, one after the other
FRAMED = 2  # times each request stands in a frame; once it stands alone
FINAL = ".?!…。？！؟।,،:;~)"  # noqa: RUF001 - of every script here
STOP = {"hi": "।", "ja": "。", "zh": "。"}
PENALTY = 1e-3  # inverse of the ridge; docs/results says how many sentences of held-out requests it gets right
WORDS = 400_000  # that the regression looks at, drawn from all
TEMPERATURE = 0.05  # of the map's loss
STAY = 30.0  # weight of the map's own squares in it; how both were chosen: docs/results
STEPS = 300
NOTHING = e5.Learned(
    subject=np.zeros(WIDTH, np.float32),
    bias=np.zeros((), np.float32),
    centre=np.zeros(WIDTH, np.float32),
    turn=np.eye(WIDTH, dtype=np.float32),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text of our own, the request within it, and its language."""

    text: str
    request: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A text's states (tokens, WIDTH), its ids, and which tokens belong to the request (1), frame it (0), neither."""

    states: NDArray[np.float16]
    ids: NDArray[np.int64]
    role: NDArray[np.int64]
    language: str


def combined(language: str, others: Sequence[str] = ()) -> Iterator[Said]:
    """Each request of a language, or others in it, alone and in frames, which are drawn, always the same ones."""
    raw = (HERE / "texts" / f"{language}.txt").read_text("utf-8")
    requests, before, after = (part.strip().split("\n") for part in raw.split("\n---\n"))
    draw = np.random.default_rng(LANGUAGES.index(language))
    join = "" if language in WITHOUT_SPACES else " "
    for request in others or requests:
        yield Said(text=request, request=request, language=language)
        for _ in range(FRAMED):
            opening = before[draw.integers(len(before))]
            first, second, third = (after[place] for place in draw.choice(len(after), 3, replace=False))
            frames = (
                (opening, request, first),
                (request, first, second),
                (first, request, second),
                (opening, third, request, first, second),
            )
            *parts, last = frames[draw.integers(len(frames))]
            text = join.join((*(_ended(part, language) for part in parts), last))
            yield Said(text=text, request=request, language=language)


def _ended(text: str, language: str) -> str:
    return text if text[-1] in FINAL else text + STOP.get(language, ".")


def learn() -> e5.Learned:
    """From the pinned model and `texts/`. Raises ModelUnavailable where the model is missing."""
    held = packed.read(find(model=E5.name).model())
    texts = list(_read(held))
    subject, bias = _subject(texts)
    told = {
        "subject": torch.from_numpy(subject),
        "bias": torch.from_numpy(bias),
        "ends": e5.sentence_ends(held),
    }
    vectors = np.array([_vector(text, told) for text in texts], np.float64).reshape(len(LANGUAGES), -1, WIDTH)
    means = vectors.mean(axis=1)
    centre = means.mean(axis=0)
    axes = np.linalg.svd(means - centre, full_matrices=False)[2][: len(LANGUAGES) - 1]
    alike = np.eye(WIDTH) - axes.T @ axes
    turn = alike @ (np.eye(WIDTH) + _nearer((vectors - centre) @ alike))
    return e5.Learned(subject=subject, bias=bias, centre=centre.astype(np.float32), turn=turn.astype(np.float32))


def _nearer(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """W such that x + x W, of unit length, tells subjects apart better than x does, whatever the language and frame.

    vectors (languages, texts, WIDTH): of each subject in turn, each request alone and framed. The loss is the mean of
    two softmax losses over pairs of languages: of finding a request's translation among all requests of the other
    language, and of finding any request on its subject.
    """
    given = functional.normalize(torch.from_numpy(vectors).float(), dim=-1)
    given = given.view(len(LANGUAGES), -1, ON_ONE_SUBJECT, 1 + FRAMED, WIDTH)
    subjects = given.shape[1]
    subject = torch.arange(subjects).repeat_interleave(ON_ONE_SUBJECT)
    other = torch.arange(ON_ONE_SUBJECT).repeat(subjects)
    same = (subject[:, None] == subject[None]).float() / ON_ONE_SUBJECT
    draw = torch.Generator().manual_seed(0)
    moved = torch.zeros(WIDTH, WIDTH, requires_grad=True)
    steps = torch.optim.Adam([moved], lr=2e-3)
    for _ in range(STEPS):
        first = torch.randint(len(LANGUAGES), subject.shape, generator=draw)
        second = (first + torch.randint(1, len(LANGUAGES), subject.shape, generator=draw)) % len(LANGUAGES)
        pair = []
        for language in (first, second):
            form = torch.randint(1 + FRAMED, subject.shape, generator=draw)
            chosen = given[language, subject, other, form]
            pair.append(functional.normalize(chosen + chosen @ moved, dim=1))
        found = torch.log_softmax(pair[0] @ pair[1].T / TEMPERATURE, dim=1)
        missed = -(found.diagonal().mean() + (found * same).sum(1).mean()) / 2
        loss = missed + STAY * moved.square().sum() / WIDTH
        steps.zero_grad()
        torch.autograd.backward([loss])
        steps.step()
    return moved.detach().numpy().astype(np.float64)


def _vector(text: Read, told: dict[str, torch.Tensor]) -> NDArray[np.float32]:
    ids = torch.from_numpy(text.ids)[None]
    vector: NDArray[np.float32] = e5.averaged(
        torch.from_numpy(text.states)[None], ids, torch.ones_like(ids, dtype=torch.bool), **told
    ).numpy()[0]
    return vector


def _read(held: Packed) -> Iterator[Read]:
    network = e5.network(held, torch.float32, NOTHING)
    tokenizer = e5.tokenizer(held)
    for language in LANGUAGES:
        for said in combined(language):
            whole, request = (e5.normal(text, held.replaced) for text in (e5.PREFIX + said.text, said.request))
            encoded = tokenizer.encode(whole)
            start = whole.index(request)
            middles = np.array(encoded.offsets).mean(axis=1)
            role = ((start <= middles) & (middles <= start + len(request))).astype(np.int64)
            role[: e5.PREFIX_TOKENS] = role[-1] = -1
            ids = torch.tensor([encoded.ids])
            with torch.inference_mode():
                states = network.states(ids, torch.ones_like(ids, dtype=torch.bool))[0].half().numpy()
            yield Read(states=states, ids=ids[0].numpy(), role=role, language=said.language)


def _subject(texts: list[Read]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    from sklearn.linear_model import LogisticRegression

    states = np.concatenate([text.states for text in texts])
    role = np.concatenate([text.role for text in texts])
    told = np.flatnonzero(role >= 0)
    drawn = np.random.default_rng(0).choice(told, min(WORDS, len(told)), replace=False)
    states, role = states[drawn].astype(np.float64), role[drawn]
    mean, spread = states.mean(axis=0), states.std(axis=0)
    model = LogisticRegression(C=PENALTY, max_iter=300, class_weight="balanced").fit((states - mean) / spread, role)
    subject = model.coef_[0] / spread
    return subject.astype(np.float32), np.asarray(model.intercept_[0] - subject @ mean, np.float32)


if __name__ == "__main__":
    e5.save(learn(), Path(e5.__file__).with_name(e5.LEARNED))
