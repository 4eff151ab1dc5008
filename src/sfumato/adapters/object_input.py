"""A log in a bucket, read in pieces as it is taken in: each asked for again if it fails, all of one version."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sfumato.adapters.object_urls import Place, connect
from sfumato.errors import InputError
from sfumato.ingest.source import Streamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _typeshed import WriteableBuffer

PIECE_BYTES = 8 << 20


def opened(url: str, *, environment: Mapping[str, str]) -> Streamed:
    """The log under that URL, as a source; it is looked for when it is read.

    Raises:
        InputError: the URL. KeyMissing: obstore is not installed.
    """
    place = Place.parse(url)
    store = connect(place, environment, prefix=False)

    def begin() -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Pieces(place, store)))

    return Streamed(name=place.url, begin=begin)


class _Pieces(io.RawIOBase):
    """One object from its first byte to its last, in ranges."""

    def __init__(self, place: Place, store: Any) -> None:  # noqa: ANN401 - obstore's union of stores
        super().__init__()
        self._place = place
        self._store = store
        self._at = 0
        self._piece = memoryview(b"")
        with _talking(place):
            import obstore

            meta = obstore.head(store, place.path)
        self._size, self._etag = meta["size"], meta["e_tag"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The next bytes, as many as are at hand and fit; a reader that asks for little does not make small requests.

        Raises:
            InputError: the store does not answer or refuses, or the object is another one now.
        """
        view = memoryview(buffer)
        if not self._piece and self._at < self._size:
            self._piece = self._next()
        given = self._piece[: len(view)]
        view[: len(given)] = given
        self._piece = self._piece[len(given) :]
        return len(given)

    def _next(self) -> memoryview:
        import obstore

        end = min(self._at + PIECE_BYTES, self._size)
        options: Any = {"range": (self._at, end)} | ({"if_match": self._etag} if self._etag else {})
        with _talking(self._place):
            piece = memoryview(bytes(obstore.get(self._store, self._place.path, options=options).bytes()))
        if len(piece) != end - self._at:
            raise InputError(f"{self._place.url} broke off; run again")
        self._at = end
        return piece


@contextmanager
def _talking(place: Place) -> Iterator[None]:
    """What obstore raises, as one line: its own quote requests and answers."""
    from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{place.url}: there is no such object") from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise InputError(f"{place.url}: permission denied; check the credentials and their rights") from None
    except PreconditionError:
        raise InputError(f"{place.url} was replaced while it was read; run again") from None
    except (BaseError, ValueError, OSError) as failure:
        raise InputError(
            f"{place.url} can't be read ({type(failure).__name__}): the store fails or does not answer; run again"
        ) from None
