"""The sentence model at work: batches of fixed shape through its network, in whichever process loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from sfumato.embed import e5, minilm
from sfumato.embed.batches import ROWS, plan
from sfumato.embed.models import E5, MINILM
from sfumato.embed.network import WIDTH
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
        try:
            self._network = _LOADERS[weights.pinned.name](weights, torch.bfloat16 if kind else torch.float32)
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
        probe = self._network.probe(length)
        alike = self._bytes([probe] * shape, length, layers)
        odd = self._bytes([probe if i % 2 else self._dummy() for i in range(shape)], length, layers)[1::2]
        even = self._bytes([self._dummy() if i % 2 else probe for i in range(shape)], length, layers)[::2]
        return len({*alike, *odd, *even}) == 1

    def _bytes(self, rows: Sequence[Sequence[int]], length: int, layers: int) -> list[bytes]:
        """All that is computed of each row up to a layer: its states, and the vector they would give."""
        ids, mask = self._filled(rows, length, len(rows))
        with torch.inference_mode():
            states = self._network.states(ids, mask, layers)
            vectors = self._pooled(states, ids, mask).numpy()
        return [a.tobytes() + b.tobytes() for a, b in zip(states.float().numpy(), vectors, strict=True)]

    def _forward(self, rows: Sequence[Sequence[int]], length: int, shape: int) -> NDArray[np.float32]:
        """(shape, 384): the vectors of `rows`, and of dummy rows up to `shape`."""
        ids, mask = self._filled(rows, length, shape)
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._pooled(self._network.states(ids, mask), ids, mask).numpy()
        return vectors

    def _pooled(self, states: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """(rows, WIDTH), one row at a time: the last few numbers of a tensor may go through another exp than the rest.

        There the rows are no multiple of a processor's vector, and so the last one would differ in its last bits.
        """
        rows = (slice(i, i + 1) for i in range(len(ids)))
        return torch.cat([self._network.pooled(states[row], ids[row], mask[row]) for row in rows])

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


def _bfloat16_pays() -> bool:
    """bfloat16 is 3 times as fast as float32 on matrix tiles (AMX), and slower than float32 where it is emulated."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return bool(tiles()) and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - no public name
