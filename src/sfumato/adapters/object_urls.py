"""Reads the URL of a bucket, `s3://`, `gs://` or `az://`, and connects to it, its retries bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from sfumato.errors import InputError, KeyMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["s3", "gs", "az"]
FORMS = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
ACCEPTED = "old-versions=accepted"
RETRIES = 6
RETRY_S = 60  # no retry begins later than this after the first try
CONNECT_S = 5
REQUEST_S = 60  # of one request: a segment, or a part of one
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}")
_ENDPOINTS: dict[Kind, tuple[str, ...]] = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": (),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket and what comes before each name in it. old_versions: the operator accepts that the bucket keeps them."""

    url: str
    kind: Kind
    bucket: str
    path: str
    old_versions: bool = False

    @classmethod
    def parse(cls, url: str) -> Place:
        """The place a URL names.

        Raises:
            InputError: of no known form, or with a password or another option in it.
        """
        parts = urlsplit(url)
        kind: Kind | None = next((one for one in get_args(Kind) if one == parts.scheme), None)
        if kind is None or not _BUCKET.fullmatch(parts.netloc) or parts.fragment or not url.isprintable() or " " in url:
            raise InputError(f"--raw-store takes {FORMS}; credentials come from the environment, never from the URL")
        if parts.query not in {"", ACCEPTED}:
            raise InputError(f"--raw-store knows one option after the ?: {ACCEPTED}")
        path = parts.path.strip("/")
        return cls(url=url, kind=kind, bucket=parts.netloc, path=path, old_versions=bool(parts.query))


def connect(place: Place, environment: Mapping[str, str], *, prefix: bool = True) -> Any:  # noqa: ANN401 - obstore's union
    """The store, with credentials as the cloud's own tools find them: environment, web identity, instance.

    prefix: whether names are meant below the place's path.

    Raises:
        KeyMissing: obstore is not installed. InputError: what the environment says can't be used.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise KeyMissing("object stores need the package obstore: pip install 'sfumato[object-stores]'") from None
    retry: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)}
    client: Any = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "timeout": timedelta(seconds=REQUEST_S),
        "allow_http": _on_this_machine(place.kind, environment),
    }
    config: Any = {"checksum_algorithm": "SHA256"} if place.kind == "s3" else {}
    url = f"{place.kind}://{place.bucket}/{place.path if prefix else ''}"
    try:
        return from_url(url, config=config, client_options=client, retry_config=retry)
    except (BaseError, ValueError) as failure:
        raise InputError(
            f"{place.url} can't be opened ({type(failure).__name__}): check the cloud's variables"
        ) from None


def _on_this_machine(kind: Kind, environment: Mapping[str, str]) -> bool:
    """Plain HTTP is for stand-ins and gateways on the loopback interface only."""
    endpoint = next((environment[name] for name in _ENDPOINTS[kind] if environment.get(name)), "")
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
