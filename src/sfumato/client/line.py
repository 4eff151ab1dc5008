"""Where the server is and which key opens it; the key goes there alone, over TLS or on this machine, unshown."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sfumato.errors import InputError, KeyMissing
from sfumato.model.private import Private

if TYPE_CHECKING:
    from sfumato.client.exchange import Request

VARIABLE = "SFUMATO_API_KEY"
MOST_LETTERS = 8192  # a token of an identity provider may be long
LEAST_LETTERS = 8  # a shorter key would be found in every text


class Line(Private):
    """An address and a key. timeout: seconds without a word from the server.

    Raises:
        InputError: the address is not one that a key may be sent to. KeyMissing: there is no key.
    """

    def __init__(self, url: str, *, key: str | None, timeout: float) -> None:
        self.url = _checked(url)
        self.timeout = timeout
        self.through_proxies = self.url.startswith("https:")  # in clear, a proxy would read the key
        self._key = (key if key is not None else os.environ.get(VARIABLE, "")).strip()
        if not re.fullmatch(rf"[!-~]{{{LEAST_LETTERS},{MOST_LETTERS}}}", self._key):
            raise KeyMissing(
                f"no usable API key: give `key`, or set {VARIABLE} to the `sfk_...` that was issued to you"
            )

    def headers(self, request: Request) -> dict[str, str]:
        """Of a request."""
        held = {"If-None-Match": request.etag} if request.etag else {}
        return {"Authorization": f"Bearer {self._key}", "Accept": "application/json, application/problem+json", **held}

    def redact(self, text: str) -> str:
        """The text without the key, should a server repeat it."""
        return text.replace(self._key, "[key]")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError("the server's address must look like https://sfumato.example.org, without name or password")
    if parts.scheme == "http" and not _here(host):
        raise InputError("over http the API key would travel in clear: use https, or an address of this machine")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
