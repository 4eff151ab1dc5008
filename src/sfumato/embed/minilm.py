"""all-MiniLM-L6-v2 from its published files: safetensors and the tokenizer's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from tokenizers import Tokenizer
from torch.nn import functional

from sfumato.embed.batches import TOKENS
from sfumato.embed.network import Network, encodable
from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from sfumato.embed.weights import Weights

_LAYERS = 6
_CLS, _SEP, _PAD = 101, 102, 0
_WORDS = "embeddings.word_embeddings.weight"


def load(weights: Weights, kind: torch.dtype) -> Network:
    """The model with its tensors in `kind`.

    Raises:
        ModelUnavailable: the file is another model's.
    """
    try:
        tensors = {name: _cast(held, kind) for name, held in load_tensors(weights.model()).items()}
        table = tensors[_WORDS]
        tokenizer = Tokenizer.from_str(weights.tokenizer().decode())
    except (KeyError, SafetensorError) as reason:
        raise ModelUnavailable("the sentence model's file is not an all-MiniLM-L6-v2: check embedding.path") from reason

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        tokenizer.no_padding()
        tokenizer.enable_truncation(TOKENS)
        return [encoded.ids for encoded in tokenizer.encode_batch([encodable(text) for text in texts])]

    def words(ids: Tensor) -> Tensor:
        return functional.embedding(ids, table)

    return Network(
        tensors=tensors,
        layers=_LAYERS,
        start=_CLS,
        end=_SEP,
        padding=_PAD,
        tokens=tokens,
        words=words,
        pooled=_pooled,
    )


def _pooled(hidden: Tensor, _: Tensor, mask: Tensor) -> Tensor:
    weight = mask.float()[:, :, None]
    return functional.normalize((hidden.float() * weight).sum(1) / weight.sum(1), dim=1)


def _cast(held: Tensor, kind: torch.dtype) -> Tensor:
    return held.to(kind) if held.is_floating_point() else held
