"""The sentence model itself: BERT's forward pass over batches of fixed shape, in whichever process loads it.

Written out, so that every operation works row by row at a shape we choose. Architecture: BERT (Devlin et al. 2019,
arXiv 1810.04805) at width 384, mean pooling, unit length (Reimers and Gurevych 2019, arXiv 1908.10084).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

from sfumato.embed import e5, minilm
from sfumato.embed.batches import ROWS, plan
from sfumato.embed.models import E5, MINILM
from sfumato.embed.network import EPSILON, HEADS, WIDTH
from sfumato.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from sfumato.embed.network import Network
    from sfumato.embed.weights import Weights

Precision = Literal["auto", "bfloat16", "float32"]
_LOADERS: Mapping[str, Callable[[Weights, torch.dtype], Network]] = {MINILM.name: minilm.load, E5.name: e5.load}


class Encoder:
    """Texts to unit vectors. One thread, no state between calls but the weights."""

    def __init__(self, weights: Weights, *, precision: Precision = "auto") -> None:
        torch.set_num_threads(1)
        kind = _bfloat16_pays() if precision == "auto" else precision == "bfloat16"
        self._type = torch.bfloat16 if kind else torch.float32
        try:
            self._network = _LOADERS[weights.pinned.name](weights, self._type)
            self._tensors = self._network.tensors
            self._rows: dict[int, int] = {}
            self.embed(["probe"])
        except (KeyError, RuntimeError, ValueError) as reason:
            raise ModelUnavailable(
                f"the sentence model's file is not {weights.pinned.name}: check embedding.path"
            ) from reason

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) float32 of unit length; row i is a function of texts[i] alone, bit for bit."""
        tokens = self._network.tokens(texts)
        vectors = np.empty((len(texts), WIDTH), dtype=np.float32)
        for batch in plan([len(row) for row in tokens]):
            rows = [tokens[position] for position in batch.members]
            vectors[list(batch.members)] = self._batch(rows, batch.length)
        return vectors

    def _batch(self, rows: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        """Vectors of at most ROWS[length] rows, computed at the one shape this length has."""
        if length not in self._rows:
            self._rows[length] = ROWS[length] if ROWS[length] > 1 and self._company_is_harmless(length) else 1
        shape = self._rows[length]
        parts = [self._forward(rows[i : i + shape], length, shape) for i in range(0, len(rows), shape)]
        return np.concatenate(parts)[: len(rows)]

    def _company_is_harmless(self, length: int, *, layers: int = 1) -> bool:
        """Whether this processor gives a row the same bytes at every position and beside any neighbour.

        It holds where it was measured; a kernel that treats the last rows of a matrix differently would break it, and
        with it the sensitivity bound. There, rows are computed one at a time: slow, and alone. Every layer computes at
        the same shapes, so the first one shows it, looked at before the mean over tokens could hide a bit.
        """
        shape = ROWS[length]
        probe = [self._network.start, *(1000 + 37 * i for i in range(length - 5)), self._network.end]
        alike = self._bytes([probe] * shape, length, layers)
        odd = self._bytes([probe if i % 2 else self._dummy() for i in range(shape)], length, layers)[1::2]
        even = self._bytes([self._dummy() if i % 2 else probe for i in range(shape)], length, layers)[::2]
        return len({*alike, *odd, *even}) == 1

    def _bytes(self, rows: Sequence[Sequence[int]], length: int, layers: int) -> list[bytes]:
        """All that is computed of each row up to a layer: its states, and the vector they would give."""
        ids, mask = self._filled(rows, length, len(rows))
        with torch.inference_mode():
            states = self.hidden(ids, mask, layers)
            vectors = self._network.pooled(states, ids, mask).numpy()
        return [a.tobytes() + b.tobytes() for a, b in zip(states.float().numpy(), vectors, strict=True)]

    def _forward(self, rows: Sequence[Sequence[int]], length: int, shape: int) -> NDArray[np.float32]:
        """(shape, 384): the vectors of `rows`, and of dummy rows up to `shape`."""
        ids, mask = self._filled(rows, length, shape)
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._network.pooled(self.hidden(ids, mask), ids, mask).numpy()
        return vectors

    def _filled(self, rows: Sequence[Sequence[int]], length: int, shape: int) -> tuple[Tensor, Tensor]:
        """Ids and mask, (shape, length): `rows` padded to `length` tokens, then dummy rows up to `shape`."""
        ids = torch.full((shape, length), self._network.padding, dtype=torch.long)
        mask = torch.zeros((shape, length), dtype=torch.bool)
        for i in range(shape):
            row = rows[i] if i < len(rows) else self._dummy()
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = True
        return ids, mask

    def _dummy(self) -> tuple[int, int]:
        return self._network.start, self._network.end

    def hidden(self, ids: Tensor, mask: Tensor, layers: int | None = None) -> Tensor:
        """(rows, length, WIDTH): the last layer's states, or of the first `layers`; `mask` is true where a token is."""
        rows, length = ids.shape
        held = self._tensors
        words = self._network.words(ids)
        places = held["embeddings.position_embeddings.weight"][:length]
        hidden = self._norm(words + places + held["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        unseen = torch.zeros((rows, 1, 1, length), dtype=self._type).masked_fill_(~mask[:, None, None], -torch.inf)
        for layer in range(layers or self._network.layers):
            hidden = self._layer(hidden, unseen, f"encoder.layer.{layer}.")
        return hidden

    def _layer(self, hidden: Tensor, unseen: Tensor, name: str) -> Tensor:
        rows, length, _ = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{name}attention.self.{part}").view(rows, length, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=unseen)
        seen = self._linear(seen.transpose(1, 2).reshape(rows, length, WIDTH), f"{name}attention.output.dense")
        hidden = self._norm(seen + hidden, f"{name}attention.output.LayerNorm")
        wide = functional.gelu(self._linear(hidden, f"{name}intermediate.dense"))
        return self._norm(self._linear(wide, f"{name}output.dense") + hidden, f"{name}output.LayerNorm")

    def _linear(self, hidden: Tensor, name: str) -> Tensor:
        return functional.linear(hidden, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _norm(self, hidden: Tensor, name: str) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return functional.layer_norm(hidden, (WIDTH,), weight, bias, EPSILON)


def _bfloat16_pays() -> bool:
    """bfloat16 is 3 times as fast as float32 on matrix tiles (AMX), and slower than float32 where it is emulated."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return bool(tiles()) and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - no public name
