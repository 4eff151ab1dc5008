"""The public keys of an identity provider: fetched, kept for a while, fetched again when a token names a new one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from joserfc.jwk import ECKey, OKPKey, RSAKey

from sfumato.errors import InputError, StorageError
from sfumato.model.strict_json import loads

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from pathlib import Path
    from typing import IO

    from sfumato.model.strict_json import Json

PublicKey = RSAKey | ECKey | OKPKey
Fetch = Callable[[], bytes]
LARGEST_BYTES = 262_144
MOST_KEYS = 64
TIMEOUT_SECONDS = 5
RSA_BITS = 2048
FRESH_SECONDS = 3600
COOLDOWN_SECONDS = 60
STALE_SECONDS = 86_400
_KINDS = {"RS256": ("RSA", None), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519")}
_log = logging.getLogger(__name__)


class Keys:
    """Keys by id. They are fetched again after an hour, or when one is missing, but never twice within a minute.

    Where they can't be had, those at hand count for a day and no longer. now: seconds of a clock that never goes back.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float]) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._known: tuple[dict[str, Json], ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The one key that this id names, and that is made for this algorithm; without an id, the only such key.

        Raises:
            StorageError: no keys are to be had.
        """
        if self._age() > FRESH_SECONDS:
            self._refresh()
        found = self._suitable(kid, algorithm)
        if not found:
            self._refresh()
            found = self._suitable(kid, algorithm)
        if self._age() > STALE_SECONDS:
            raise StorageError("the identity provider's keys can't be had; its tokens count for nothing meanwhile")
        return _key(found[0]) if len(found) == 1 else None

    def _suitable(self, kid: str | None, algorithm: str) -> list[dict[str, Json]]:
        kind, curve = _KINDS[algorithm]
        return [
            one
            for one in self._known
            if one.get("kty") == kind
            and one.get("crv") == curve
            and one.get("use", "sig") == "sig"
            and one.get("alg", algorithm) == algorithm
            and (kid is None or one.get("kid") == kid)
        ]

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._now() - self._fetched

    def _refresh(self) -> None:
        """Fetch, unless that was tried just now; others go on with the keys at hand meanwhile."""
        with self._lock:
            if self._tried is not None and self._now() - self._tried < COOLDOWN_SECONDS:
                return
            self._tried = tried = self._now()
        try:
            self._known = parse(self._fetch())
            self._fetched = tried
        except (InputError, OSError, URLError, ValueError) as failure:
            _log.warning("the identity provider's keys can't be fetched (%s)", type(failure).__name__)


def parse(raw: bytes) -> tuple[dict[str, Json], ...]:
    """The keys of a JWKS document, unread.

    Raises:
        InputError: it is none, too large, or two keys in it have one id.
    """
    listed = loads(raw).get("keys") if len(raw) <= LARGEST_BYTES else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise InputError("not a JWKS document")
    found = [one for one in listed if isinstance(one, dict)]
    named = [one["kid"] for one in found if isinstance(one.get("kid"), str)]
    if len({*named}) != len(named):
        raise InputError("two keys of the JWKS document have the same id")
    return tuple(found)


def from_file(path: Path) -> Fetch:
    """Keys in a file."""

    def fetch() -> bytes:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)

    return fetch


def from_url(url: str) -> Fetch:
    """Keys at an address; a redirect is not followed, since it could lead anywhere."""

    def fetch() -> bytes:
        asked = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - https by the configuration's check
        with build_opener(_Stay).open(asked, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(LARGEST_BYTES + 1)
            return content

    return fetch


class _Stay(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Nowhere."""


def _key(found: dict[str, Json]) -> PublicKey | None:
    """The public half; None where it is no key, or too weak a one."""
    public = {name: value for name, value in found.items() if name in {"kty", "crv", "n", "e", "x", "y"}}
    if not all(isinstance(value, str) for value in public.values()):
        return None
    fields: dict[str, str | list[str]] = {name: str(value) for name, value in public.items()}
    try:
        if found["kty"] == "EC":
            return ECKey.import_key(fields)
        if found["kty"] == "OKP":
            return OKPKey.import_key(fields)
        key = RSAKey.import_key(fields)
    except Exception:  # noqa: BLE001 - whatever is wrong with a key, it is no key
        return None
    return key if key.public_key.key_size >= RSA_BITS else None
