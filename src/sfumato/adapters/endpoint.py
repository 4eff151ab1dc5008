"""Which model is asked, where, and how hard: the few values that a policy may set."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from sfumato.errors import PolicyError

MOST_CONCURRENT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model behind the Messages API: Anthropic's, or any server that speaks it (vLLM, Ollama, llama.cpp, LiteLLM).

    region: where inference must run, sent as `inference_geo`; None leaves it to the account's own setting. concurrency:
    most calls in flight at once; the endpoint's own answers lower it. batch: send Message Batches, at half
    the price, for an answer within a day. timeout_s: seconds for one call, all in all. patience_s: seconds for which
    nobody may answer before the endpoint counts as gone; a restart of the server within it is survived.

    Raises:
        PolicyError: a value is out of range, or `base_url` is not a plain http(s) address.
    """

    model: str
    base_url: str = "https://api.anthropic.com"
    region: str | None = None
    concurrency: int = 16
    batch: bool = False
    timeout_s: float = 120.0
    patience_s: float = 120.0

    def __post_init__(self) -> None:
        if not self.model or not self.model.isprintable() or len(self.model) > 200:  # noqa: PLR2004 - a name, not a text
            raise PolicyError("the model's name must be 1 to 200 printable characters")
        if self.region is not None and not re.fullmatch(r"[a-z0-9-]{1,32}", self.region):
            raise PolicyError("the model's region must be a short name in lower case, such as us")
        if not 1 <= self.concurrency <= MOST_CONCURRENT:
            raise PolicyError(f"the model's concurrency must be from 1 to {MOST_CONCURRENT}")
        for name, seconds in (("timeout_s", self.timeout_s), ("patience_s", self.patience_s)):
            if not (math.isfinite(seconds) and seconds > 0):
                raise PolicyError(f"the model's {name} must be a positive number of seconds")
        self._check_address()

    def _check_address(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not self.base_url.isascii() or not self.base_url.isprintable():
            raise PolicyError("the model's base_url must be an address like https://host or http://host:port")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise PolicyError("the model's base_url may hold no user, password, query or fragment")

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def loopback(self) -> bool:
        """Whether the server runs on this machine, where nobody sends a bill."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False
