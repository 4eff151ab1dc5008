"""What the encoder runs: BERT's forward pass, its tensors by BERT's own names, and what differs between our models.

Written out, so that every operation works row by row at a shape we choose. Architecture: BERT (Devlin et al. 2019,
arXiv 1810.04805) at width 384, a mean over words, unit length (Reimers and Gurevych 2019, arXiv 1908.10084).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

WIDTH = 384
HEADS = 12
EPSILON = 1e-12
LONGEST = 16_384  # characters of a text that are looked at, far beyond what a model reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A model, loaded. Each function treats a row by itself.

    tokens: texts to ids, `start` first and `end` last. words: ids (rows, length) to their vectors. pooled: hidden
    states (rows, length, WIDTH), ids and mask to vectors (rows, WIDTH) float32 of unit length.

    changes: of some matrices, by name, two factors (rank, columns) and (rows, rank) of what is added to them (Hu et al.
    2022, arXiv 2106.09685), where a token's piece says so. opened (pieces, rank): 1 where it does, 0 elsewhere.
    """

    tensors: Mapping[str, Tensor]
    layers: int
    start: int
    end: int
    padding: int
    tokens: Callable[[Sequence[str]], list[list[int]]]
    words: Callable[[Tensor], Tensor]
    pooled: Callable[[Tensor, Tensor, Tensor], Tensor]
    changes: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    opened: Tensor | None = None

    def probe(self, length: int) -> list[int]:
        """Ids of a row of that length whose pieces take every path that a piece can take."""
        pieces = [1000 + 37 * place for place in range(length - 5)]
        if self.opened is not None:
            opening = self.opened.any(1).nonzero()[:, 0]
            pieces[::2] = [int(opening[len(opening) * place // length]) for place in range(len(pieces[::2]))]
        return [self.start, *pieces, self.end]

    def states(self, ids: Tensor, mask: Tensor, layers: int | None = None) -> Tensor:
        """(rows, length, WIDTH): the last layer's states, or of the first `layers`; `mask` is true where a token is."""
        rows, length = ids.shape
        places = self.tensors["embeddings.position_embeddings.weight"][:length]
        kinds = self.tensors["embeddings.token_type_embeddings.weight"][0]
        states = self._norm(self.words(ids) + places + kinds, "embeddings.LayerNorm")
        unseen = torch.zeros((rows, 1, 1, length), dtype=states.dtype).masked_fill_(~mask[:, None, None], -torch.inf)
        opened = self._opened(ids)
        for layer in range(self.layers if layers is None else layers):
            states = self._layer(states, unseen, opened, f"encoder.layer.{layer}.")
        return states

    def _opened(self, ids: Tensor) -> Tensor | None:
        """(rows, length, rank); None where no piece opens anything: adding nothing changes no number."""
        opened = None if self.opened is None else self.opened[ids]
        return opened if opened is not None and opened.any() else None

    def _layer(self, states: Tensor, unseen: Tensor, opened: Tensor | None, name: str) -> Tensor:
        rows, length, _ = states.shape
        query, key, value = (
            self._linear(states, f"{name}attention.self.{part}", opened).view(rows, length, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=unseen)
        seen = seen.transpose(1, 2).reshape(rows, length, WIDTH)
        seen = self._linear(seen, f"{name}attention.output.dense", opened)
        states = self._norm(seen + states, f"{name}attention.output.LayerNorm")
        wide = functional.gelu(self._linear(states, f"{name}intermediate.dense", opened))
        return self._norm(self._linear(wide, f"{name}output.dense", opened) + states, f"{name}output.LayerNorm")

    def _linear(self, states: Tensor, name: str, opened: Tensor | None) -> Tensor:
        made = functional.linear(states, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])
        if opened is None or name not in self.changes:
            return made
        down, up = self.changes[name]
        return made + functional.linear(functional.linear(states, down) * opened, up)

    def _norm(self, states: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(states, (WIDTH,), weight, bias, EPSILON)


def encodable(text: str) -> str:
    """The text as UTF-8 can carry it (a lone surrogate becomes `?`), cut far beyond what a model reads."""
    return text[:LONGEST].encode("utf-8", "replace").decode()
