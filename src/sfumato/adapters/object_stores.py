"""Sealed segments in a bucket: S3, Google Cloud Storage or Azure, through obstore, with limits, checks and a trial."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sfumato.adapters.object_urls import Place, connect
from sfumato.errors import Refused, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PART_BYTES = 8 << 20  # a larger segment goes up in parts of this
PARTS_AT_ONCE = 4
TRIAL = ".sfumato-trial-"
NO_VERSION = "null"  # S3's name of the one version in a bucket whose versioning is suspended


def opened(url: str, *, environment: Mapping[str, str]) -> ObjectSegments:
    """The store of that URL; nothing is asked of it yet.

    Raises:
        InputError: the URL. KeyMissing: the package obstore is not installed.
    """
    place = Place.parse(url)
    return ObjectSegments(place, connect(place, environment))


class ObjectSegments:
    """A sfumato.vault.elsewhere.SegmentStore in a bucket.

    Before the first segment it tries the bucket once: whether it takes, refuses to overwrite, gives back and deletes,
    and whether it keeps what was deleted; one that does is refused unless the URL accepts it.
    """

    def __init__(self, place: Place, store: Any) -> None:  # noqa: ANN401 - obstore's union of stores
        self._place = place
        self._store = store
        self._tried = False

    @property
    def url(self) -> str:
        """As the operator named it."""
        return self._place.url

    def put(self, name: str, content: bytes) -> None:
        """Store it under a name that bears nothing yet.

        Raises:
            StorageError: the store does not answer, refuses, or has something else there.
            Refused: the bucket keeps old versions.
        """
        self._try()
        with self._talking("written"):
            if len(content) <= PART_BYTES:
                self._put_whole(name, content)
            else:
                self._put_in_parts(name, content)
            self._check(name, content)

    def get(self, name: str) -> bytes | None:
        """What lies there, or None. Raises StorageError."""
        import obstore

        with self._talking("read"):
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def remove(self, names: Sequence[str]) -> None:
        """Delete what is there of these, in as few calls as the store allows, and look whether it is gone.

        Raises:
            StorageError: the store does not answer, refuses, or still lists one of them.
        """
        import obstore

        with self._talking("deleted from"):
            there = self._listed(names)
            if not there:
                return
            obstore.delete(self._store, there)
            if self._listed(there):
                raise StorageError(f"{self.url} still lists what was deleted there: a hold or a lock keeps it")

    def _put_whole(self, name: str, content: bytes) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:  # also after a time-out whose first try had arrived
            if self.get(name) != content:
                raise StorageError(
                    f"{self.url}: another object bears a segment's name; it was not overwritten"
                ) from None

    def _put_in_parts(self, name: str, content: bytes) -> None:
        """No store that obstore knows makes this conditional: the name, 16 random bytes, is looked up before."""
        import obstore

        if self._listed([name]):
            raise StorageError(f"{self.url}: another object bears a segment's name; it was not overwritten")
        obstore.put(
            self._store, name, content, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )

    def _check(self, name: str, content: bytes) -> None:
        """S3 checks the SHA-256 that goes with each request; what others store is read back."""
        import obstore

        good = obstore.head(self._store, name)["size"] == len(content)
        if good and self._place.kind != "s3":
            found = self.get(name)
            good = found is not None and sha256(found).digest() == sha256(content).digest()
        if not good:
            raise StorageError(f"{self.url} did not store what was put there")

    def _listed(self, names: Sequence[str]) -> list[str]:
        import obstore

        wanted, folders = set(names), {name.rpartition("/")[0] for name in names}
        pages = (page for folder in folders for page in obstore.list(self._store, prefix=folder or None))
        return sorted({meta["path"] for page in pages for meta in page} & wanted)

    def _try(self) -> None:
        if self._tried:
            return
        name = f"{TRIAL}{secrets.token_hex(8)}"
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._talking("used"):
            version = obstore.put(self._store, name, b"sfumato", mode="create")["version"]
            try:
                obstore.put(self._store, name, b"sfumatO", mode="create")
            except AlreadyExistsError:
                pass
            else:
                raise StorageError(f"{self.url} overwrites what is there though asked not to: use another store")
            obstore.delete(self._store, name)
            kept = self._keeps(name, version)
        if kept and not self._place.old_versions:
            raise Refused(
                f"{self.url} keeps old versions of what is deleted: name a bucket without versioning and object lock, "
                "or accept with ?old-versions=accepted that ciphertexts stay there, their key destroyed"
            )
        self._tried = True

    def _keeps(self, name: str, version: str | None) -> bool:
        """Whether a deleted object can still be had by its version; what can't be told counts as yes."""
        import obstore
        from obstore.exceptions import BaseError

        if version is None or version == NO_VERSION:
            return False
        try:
            obstore.get(self._store, name, options={"version": version}).bytes()
        except FileNotFoundError:
            return False
        except BaseError:
            return True
        return True

    @contextmanager
    def _talking(self, what: str) -> Iterator[None]:
        """What obstore raises, as one line of ours: its own quote requests and answers."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError):
            raise StorageError(
                f"{self.url} can't be {what}: permission denied; check the credentials and their rights"
            ) from None
        except FileNotFoundError:
            raise StorageError(f"{self.url} can't be {what}: there is no such bucket") from None
        except (BaseError, ValueError, OSError) as failure:
            raise StorageError(
                f"{self.url} can't be {what} ({type(failure).__name__}): it fails or does not answer; run again"
            ) from None
