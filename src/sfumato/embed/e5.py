"""multilingual-e5-small from its packed file, its vectors made to tell what is asked and not in which language.

A BERT of 12 layers over XLM-R's vocabulary (Wang et al. 2024, arXiv 2402.05672). As it comes, vectors of unrelated
texts lie at cosines of .75 and more, and those of one language together. So a text's vector is a mean of its words'
states in which words and whole sentences that only frame a request (greetings, thanks, circumstances) count little,
less a fixed mean and the directions in which languages differ (Yang et al. 2021, arXiv 2109.04727), turned so that
requests on one subject lie together in every language (a linear map, by the loss of van den Oord et al. 2018, arXiv
1807.03748). Words in the scripts of languages that it knows least go through changes of low rank, which draw a text's
vector to the one that its English translation has (Reimers and Gurevych 2020, arXiv 2004.09813); no other text is
touched by them. All of this was learned from texts of our own, never from data: `multilingual/` in the repository.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn import functional

from sfumato.embed import packed
from sfumato.embed.batches import TOKENS
from sfumato.embed.network import WIDTH, Network, encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from sfumato.embed.packed import Packed
    from sfumato.embed.weights import Weights

    Changes = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]

PREFIX = "query: "  # what the model was trained to read before a text that is compared with its like
PREFIX_TOKENS = 4  # with the one that starts every text
LEARNED = "learned.npz"
SCRIPTS = (r"[\u0600-\u06ff]", r"[\u0900-\u097f]")  # Arabic, Devanagari: each has its part of the changes' rank
_START, _PAD, _END, _UNKNOWN = 0, 1, 2, 3
_SENTENCE_ENDS = frozenset(".?!؟।。")  # in their normal form
_SPACE = "▁"  # what SentencePiece writes for one
_TEXTLESS = 1e-9  # weight that leaves a text without words a vector too
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_WORDS = "emb.word"
_DOWN, _UP = ".down", ".up"  # the two factors of a matrix's change, in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned from our own texts.

    subject (WIDTH,), bias (): log-odds that a word's state belongs to what is asked. centre (WIDTH,): the mean vector.
    turn (WIDTH, WIDTH): what a vector less the centre is multiplied by; directions in which languages differ vanish.
    changes: of some of the model's matrices, by name, two factors (rank, columns) and (rows, rank) of what is added to
    them; of equal parts of the rank, each is for words in one of SCRIPTS.
    """

    subject: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: NDArray[np.float32]
    turn: NDArray[np.float32]
    changes: Changes = field(default_factory=dict)


def load(weights: Weights, kind: torch.dtype) -> Network:
    """The model with its tensors in `kind`; its table of words stays packed, a third of a gigabyte smaller.

    Raises:
        ModelUnavailable: the file is not the pinned one. ValueError, KeyError: nor any such file.
    """
    return network(packed.read(weights.model()), kind, shipped())


def network(held: Packed, kind: torch.dtype, public: Learned) -> Network:
    """The model of that file with what was learned."""
    return Network(
        tensors=_tensors(held, kind),
        layers=held.layers,
        start=_START,
        end=_END,
        padding=_PAD,
        tokens=_tokens(held),
        words=_words(held, kind),
        pooled=_pooled(public, sentence_ends(held)),
        changes={
            name: (torch.from_numpy(down).to(kind), torch.from_numpy(up).to(kind))
            for name, (down, up) in public.changes.items()
        },
        opened=opened(held, _rank(public.changes)).to(kind) if public.changes else None,
    )


def shipped() -> Learned:
    """What ships with this package."""
    return read(files("sfumato.embed").joinpath(LEARNED).read_bytes())


def read(raw: bytes) -> Learned:
    """What `save` wrote."""
    with np.load(BytesIO(raw), allow_pickle=False) as stored:
        held = {name: stored[name].astype(np.float32) for name in stored.files}
    changed = [name.removesuffix(_DOWN) for name in held if name.endswith(_DOWN)]
    return Learned(
        **{name: held[name] for name in ("subject", "bias", "centre", "turn")},
        changes={name: (held[name + _DOWN], held[name + _UP]) for name in changed},
    )


def save(public: Learned, to: Path) -> None:
    """Write what `read` reads; what is large in half precision."""
    held: dict[str, NDArray[np.floating]] = {
        "subject": public.subject,
        "bias": public.bias,
        "centre": public.centre,
        "turn": _half(public.turn),
    }
    for name, (down, up) in public.changes.items():
        held |= {name + _DOWN: _half(down), name + _UP: _half(up)}
    np.savez(to, allow_pickle=False, **held)


def _half(numbers: NDArray[np.float32]) -> NDArray[np.float16]:
    return numbers.astype(np.float16)


def opened(held: Packed, rank: int) -> Tensor:
    """(pieces, rank): which of the changes' dimensions a piece of the vocabulary opens: those of its script."""
    written = np.array([[re.search(script, piece) is not None for script in SCRIPTS] for piece in held.pieces])
    return torch.from_numpy(written.repeat(rank // len(SCRIPTS), axis=1)).float()


def _rank(changes: Changes) -> int:
    return len(next(iter(changes.values()))[0])


def averaged(hidden: Tensor, ids: Tensor, mask: Tensor, *, subject: Tensor, bias: Tensor, ends: Tensor) -> Tensor:
    """Unit vectors (rows, WIDTH): means over the text's words, each weighed by its odds of being what is asked.

    A word weighs as much as its own log-odds say, times how far its sentence's mean log-odds fall behind those of the
    text's best sentence. ends (pieces of the vocabulary,): whether a piece ends a sentence.
    """
    states = hidden.float()
    heard = mask & (ids != _END)
    heard[:, :PREFIX_TOKENS] = False
    odds = (states * subject).sum(-1) + bias
    weight = torch.sigmoid(odds) * _standing(odds, heard, _sentences(ends[ids])) * heard
    weight = (weight + _TEXTLESS * mask)[:, :, None]
    return functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)


def _sentences(end: Tensor) -> Tensor:
    """(rows, length) the number of each piece's sentence within its row; `end` says which pieces are final marks."""
    starts = torch.zeros_like(end, dtype=torch.long)
    starts[:, 1:] = end[:, :-1] & ~end[:, 1:]
    return starts.cumsum(1)


def _standing(odds: Tensor, heard: Tensor, sentence: Tensor) -> Tensor:
    """(rows, length) in 0 to 1: exp of a sentence's mean log-odds less the best sentence's of its row."""
    told = heard.float()
    nothing = torch.zeros_like(odds)
    words, sums = nothing.scatter_add(1, sentence, told), nothing.scatter_add(1, sentence, odds * told)
    means = torch.where(words > 0, sums / words.clamp(min=1), -torch.inf)
    best = means.max(1, keepdim=True).values.nan_to_num(neginf=0)
    return (means - best).exp().gather(1, sentence)


def _pooled(public: Learned, ends: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    subject, bias, centre, turn = map(torch.from_numpy, (public.subject, public.bias, public.centre, public.turn))

    def pooled(hidden: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        moved = averaged(hidden, ids, mask, subject=subject, bias=bias, ends=ends) - centre
        return functional.normalize(moved @ turn, dim=1)

    return pooled


def sentence_ends(held: Packed) -> Tensor:
    """(pieces,) whether a piece of the vocabulary is nothing but final marks."""
    marks = ({*piece} - {_SPACE} for piece in held.pieces)
    return torch.tensor([bool(found) and found <= _SENTENCE_ENDS for found in marks])


def _special(held: Packed) -> list[int]:
    return [_START, _PAD, _END, _UNKNOWN, len(held.pieces) - 1]


def tokenizer(held: Packed) -> Tokenizer:
    """SentencePiece's Unigram, as XLM-R has it. What a person types never becomes a special piece."""
    special = {number: f"\x01{number}" for number in _special(held)}  # normal text holds no control characters
    pieces = [
        (special.get(number, piece), float(score))
        for number, (piece, score) in enumerate(zip(held.pieces, held.scores, strict=True))
    ]
    made = Tokenizer(models.Unigram(pieces, _UNKNOWN, False))  # noqa: FBT003 - its third place is byte fallback
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.post_processor = processors.TemplateProcessing(
        single=f"{special[_START]} $A {special[_END]}",
        special_tokens=[(special[number], number) for number in (_START, _END)],
    )
    made.enable_truncation(TOKENS)
    return made


def normal(text: str, replaced: Mapping[int, str]) -> str:
    """As the model reads it: compatible forms made one, control characters left out, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", encodable(text)).translate(replaced).split())


def _tokens(held: Packed) -> Callable[[Sequence[str]], list[list[int]]]:
    made = tokenizer(held)

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        return [encoded.ids for encoded in made.encode_batch([normal(PREFIX + text, held.replaced) for text in texts])]

    return tokens


def _words(held: Packed, kind: torch.dtype) -> Callable[[Tensor], Tensor]:
    table = held.blocks[_WORDS].reshape(-1, WIDTH // packed.BLOCK, packed.BLOCK_BYTES)

    def words(ids: Tensor) -> Tensor:
        rows, length = ids.shape
        chosen = table[ids.reshape(-1).numpy()].reshape(-1, packed.BLOCK_BYTES)
        return torch.from_numpy(packed.unpacked(chosen)).view(rows, length, WIDTH).to(kind)

    return words


def _tensors(held: Packed, kind: torch.dtype) -> dict[str, Tensor]:
    """By BERT's names. A packed one has as many rows as its bias has numbers."""
    found = {}
    for name, other in _EMBEDDINGS.items():
        found[other] = _float(held.floats[name], kind)
        if not name.startswith("emb.ln"):
            found[other] = found[other].view(-1, WIDTH)
    for layer in range(held.layers):
        for part, other in _PARTS.items():
            bias = held.floats[f"l{layer}.{part}.b"]
            name = f"encoder.layer.{layer}.{other}"
            found[f"{name}.bias"] = _float(bias, kind)
            found[f"{name}.weight"] = _matrix(held, f"l{layer}.{part}.w", len(bias), kind)
    return found


def _matrix(held: Packed, name: str, rows: int, kind: torch.dtype) -> Tensor:
    if name in held.floats:
        return _float(held.floats[name], kind)
    return torch.from_numpy(packed.unpacked(held.blocks[name]).reshape(rows, -1)).to(kind)


def _float(numbers: NDArray[np.float32], kind: torch.dtype) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32)).to(kind)  # a copy: the file's bytes can't be written
