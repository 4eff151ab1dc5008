"""Bytes to lines: from a file, a gzip file or standard input, in memory bounded by the longest line allowed."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sfumato.errors import InputError
from sfumato.model.private import Private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 18
BLOCK = 4096
GZIP = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
FOREIGN = (
    (b"\xff\xfe", "UTF-16 or UTF-32 text: convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text: convert it to UTF-8"),
    (b"\x28\xb5\x2f\xfd", "zstd data: unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "xz data: unpack it, or pack it with gzip"),
    (b"BZh", "bzip2 data: unpack it, or pack it with gzip"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"PAR1", "a Parquet file: write it out as JSON Lines"),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Held(Private):
    """A source that is in memory already, under a name that messages may call it by."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Streamed(Private):
    """A source that comes from elsewhere, such as a bucket: `begin` gives its bytes, which are then closed."""

    name: str
    begin: Callable[[], BinaryIO]


Source = str | Path | Held | Streamed


class Damaged(InputError):  # noqa: N818 - says what happened, as in errors.py
    """The gzip data ends or breaks in the middle; the whole lines before that were yielded."""


def named(source: Source) -> str:
    """How messages call the source."""
    if isinstance(source, Held | Streamed):
        return source.name
    return "standard input" if str(source) == "-" else str(source)


@contextmanager
def opened(source: Source) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """The unpacked bytes of a path, or of standard input for `-`; gzip is known by its first bytes, not by its name.

    Raises:
        InputError: it does not exist, is a directory or can't be read.
    """
    name = named(source)
    if isinstance(source, Held):
        yield io.BufferedReader(io.BytesIO(source.content))
        return
    try:
        raw = _raw(source)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name} is a directory: name a file") from None
    except OSError as failure:
        raise InputError(f"{name} can't be read: {failure.strerror}") from None
    buffered = cast("io.BufferedReader", raw)
    try:
        packed = buffered.peek(2)[:2] == GZIP
        yield gzip.GzipFile(fileobj=buffered, mode="rb") if packed else buffered
    except OSError as failure:
        raise InputError(f"{name} can't be read: {failure.strerror or 'the stream failed'}") from None
    finally:
        if str(source) != "-":  # standard input is not ours to close
            buffered.close()


def _raw(source: str | Path | Streamed) -> BinaryIO:
    if isinstance(source, Streamed):
        return source.begin()
    return sys.stdin.buffer if str(source) == "-" else open(source, "rb")  # noqa: PTH123 - the caller closes it


def lines(stream: io.BufferedReader | gzip.GzipFile, *, name: str, limit: int) -> Iterator[bytes | None]:
    r"""Each line without its \n; None for one longer than `limit` bytes, which is passed over without being held.

    Raises:
        InputError: not text.
        Damaged: the gzip data is cut short or corrupt.
    """
    held = bytearray()
    long = False
    for chunk in _chunks(stream, name):
        first, newline, rest = chunk.partition(b"\n")
        if not long:
            held += first
            long = len(held) > limit
        if long:
            held.clear()
        if not newline:
            continue
        yield None if long else bytes(held)
        *whole, tail = rest.split(b"\n")
        for line in whole:
            yield line if len(line) <= limit else None
        held = bytearray(tail)
        long = False
    if long or len(held) > limit:
        yield None
    elif held:
        yield bytes(held)


def _chunks(stream: io.BufferedReader | gzip.GzipFile, name: str) -> Iterator[bytes]:
    """Pieces as they come: read1 alone gives up what was unpacked before a damaged place."""
    head = b""
    begun = False
    try:
        while chunk := stream.read1(CHUNK):
            if begun:
                yield chunk
                continue
            head += chunk
            if begun := b"\n" in head or len(head) >= BLOCK:
                yield _text_of(head, name)
    except EOFError:
        raise Damaged("breaks off") from None
    except (zlib.error, gzip.BadGzipFile):
        raise Damaged("is damaged") from None
    if head and not begun:
        yield _text_of(head, name)


def _text_of(head: bytes, name: str) -> bytes:
    """The first block, less a byte order mark, once it is known to be text."""
    for magic, what in FOREIGN:
        if head.startswith(magic):
            raise InputError(f"{name} is {what}")
    if b"\0" in head[:BLOCK]:
        raise InputError(f"{name} looks binary: JSON Lines in UTF-8 is expected, plain or packed with gzip")
    return head.removeprefix(UTF8_BOM)
