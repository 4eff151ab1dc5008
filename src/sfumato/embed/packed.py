"""The packed file that carries multilingual-e5-small: a vocabulary with scores, a normalisation table, 4-bit tensors.

Little-endian throughout: magic and version; the network's numbers; the Unigram vocabulary (offsets, scores, one blob of
UTF-8); code points and what each is normalised to; a directory of tensors. A tensor is float32, or blocks of 18 bytes:
a float16 scale and 32 four-bit weights, low halves first, each 8 above its value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAGIC = b"E5S1"
BLOCK = 32  # weights that share a scale
BLOCK_BYTES = 18
_SCALE_BYTES = 2
_FLOAT, _PACKED = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What the file holds. scores: log-probabilities of `pieces`. replaced: code point -> its normal form.

    floats: tensors in the clear, flat. blocks: packed tensors, (blocks, 18) bytes.
    """

    width: int
    layers: int
    heads: int
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    replaced: Mapping[int, str]
    floats: Mapping[str, NDArray[np.float32]]
    blocks: Mapping[str, NDArray[np.uint8]]


def read(raw: bytes) -> Packed:
    """The file's content; tensors are views of `raw`.

    Raises:
        ValueError: not such a file, or cut short.
    """
    if raw[: len(MAGIC)] != MAGIC:
        raise ValueError("not a packed sentence model")
    at = _Reader(raw)
    try:
        _, width, layers, heads, *_ = at.numbers("<8i", after=len(MAGIC))
        at.numbers("<fi")  # epsilon of the norms, and the block size: the architecture's own
        pieces, scores = _vocabulary(at)
        replaced = _replacements(at)
        floats, blocks = _tensors(at)
    except (struct.error, OverflowError, MemoryError) as reason:
        raise ValueError("a packed sentence model is cut short") from reason
    return Packed(
        width=width,
        layers=layers,
        heads=heads,
        pieces=pieces,
        scores=scores,
        replaced=replaced,
        floats=floats,
        blocks=blocks,
    )


def unpacked(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 18) bytes to (n, 32) weights; each block by itself."""
    scale = np.ascontiguousarray(blocks[:, :_SCALE_BYTES]).view("<f2").astype(np.float32)
    halves = blocks[:, _SCALE_BYTES:]
    steps = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return np.asarray(steps * scale, np.float32)


class _Reader:
    """A place in the bytes that moves on as they are read."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.place = 0

    def numbers(self, layout: str, *, after: int = 0) -> tuple[int, ...]:
        self.place += after
        found = struct.unpack_from(layout, self.raw, self.place)
        self.place += struct.calcsize(layout)
        return found

    def array(self, kind: str, count: int) -> NDArray[np.generic]:
        found = np.frombuffer(self.raw, kind, count, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        found = self.raw[self.place : self.place + count]
        self.place += count
        return found


def _vocabulary(at: _Reader) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    count, *_ = at.numbers("<5i")  # and four special pieces, which are XLM-R's own
    (length,) = at.numbers("<Q")
    ends = at.array("<u4", count + 1).astype(np.int64).tolist()
    scores = at.array("<f4", count).astype(np.float32)
    blob = at.bytes(length)
    return tuple(blob[a:b].decode() for a, b in pairwise(ends)), scores


def _replacements(at: _Reader) -> dict[int, str]:
    count, _ = at.numbers("<iI")
    found = {}
    for _ in range(count):
        point, length = at.numbers("<IB")
        found[point] = "".join(map(chr, at.numbers(f"<{length}I")))
    return found


def _tensors(at: _Reader) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.uint8]]]:
    (count,) = at.numbers("<i")
    floats: dict[str, NDArray[np.float32]] = {}
    blocks: dict[str, NDArray[np.uint8]] = {}
    for _ in range(count):
        (length,) = at.numbers("<H")
        name = at.bytes(length).decode()
        kind, size, offset, _ = at.numbers("<BIQQ")
        if kind == _FLOAT:
            floats[name] = np.frombuffer(at.raw, "<f4", size, offset)
        elif kind == _PACKED:
            blocks[name] = np.frombuffer(at.raw, np.uint8, size // BLOCK * BLOCK_BYTES, offset).reshape(-1, BLOCK_BYTES)
        else:
            raise ValueError("a packed sentence model holds a tensor of an unknown kind")
    return floats, blocks
